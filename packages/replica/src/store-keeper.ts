import type { Clock, Log, Store } from '@nacre/base';
import type { Ledger } from '@nacre/ledger';
import { Mender } from './mender.ts';
import type { PeerRequests } from './peer-requests.ts';
import { Pruner } from './pruner.ts';
import type { ReplicaDependencies, ReplicaOptions } from './replica-types.ts';
import { StoreCare, type StoreStatus } from './store-care.ts';

interface Dependencies extends Pick<ReplicaDependencies, 'reclaim'> {
  readonly ledger: Ledger;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly requests: PeerRequests;
  readonly fail: (error: unknown) => void;
}

/** Everything that keeps a replica's store whole and small: scrub, mending, pruning. */
export class StoreKeeper {
  readonly #mender: Mender;
  readonly #care: StoreCare;
  readonly #pruner: Pruner;

  constructor({ scrub, pruning }: Pick<ReplicaOptions, 'scrub' | 'pruning'>, dependencies: Dependencies) {
    const { reclaim = async () => undefined } = dependencies;
    this.#mender = new Mender(dependencies);
    this.#care = new StoreCare(scrub ?? { bytesPerSecond: 0, intervalMs: 0 }, { ...dependencies, mender: this.#mender });
    this.#pruner = new Pruner(pruning ?? { blocks: 0, ageMs: 0 }, { ...dependencies, reclaim });
  }

  start(): void {
    this.#care.start();
    this.#pruner.start();
  }

  /** Waits for what is under way. */
  async stop(): Promise<void> {
    await Promise.all([this.#care.stop(), this.#pruner.stop()]);
  }

  /** See {@link StoreCare.without}. */
  without(work: () => Promise<void>): Promise<void> {
    return this.#care.without(work);
  }

  /** Call now and then: asks peers for what waits to be mended. */
  tick(): Promise<void> {
    return this.#mender.tick();
  }

  afterBlock(): void {
    this.#pruner.afterBlock();
  }

  /** See {@link StoreCare.takes}. */
  takes(error: unknown): boolean {
    return this.#care.takes(error);
  }

  status(): StoreStatus {
    return this.#care.status();
  }
}
