import type { Clock, Log, Store, Timer } from '@nacre/base';
import { type Damage, damageOf, type Ledger, type ScrubStep, scrub } from '@nacre/ledger';
import type { Mender } from './mender.ts';

/** Between two helpings of the scrub, in ms. Longer: rarer and larger bursts. */
const TURN_MS = 50;

/** How the store is, and how far the scrub has come. */
export interface StoreStatus {
  /** What the scrub is at; null between two passes and while it is off. */
  readonly part: ScrubStep['part'] | null;
  /** Since the start. */
  readonly passes: number;
  readonly bytes: number;
  /** Damage found by the scrub or by any read. */
  readonly found: number;
  readonly mended: number;
  /** Found, and not mended yet. */
  readonly waiting: number;
}

export interface ScrubOptions {
  /** 0 turns the scrub off. */
  readonly bytesPerSecond: number;
  /** From the end of one pass to the next, in ms. */
  readonly intervalMs: number;
}

interface Dependencies {
  readonly ledger: Ledger;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly mender: Mender;
  /** The store is to be fetched anew. */
  readonly fail: (error: unknown) => void;
}

/**
 * Looks after the store: goes through it again and again at a bounded rate, and has what is damaged mended, whoever found it. Where no peer can
 * give it again by its hash, the replica ends, and whoever runs it starts it anew with an empty store.
 */
export class StoreCare {
  readonly #options: ScrubOptions;
  readonly #dependencies: Dependencies;
  #pass: AsyncGenerator<ScrubStep> | null = null;
  #timer: Timer | null = null;
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;
  #paused = false;
  #part: StoreStatus['part'] = null;
  #passes = 0;
  #bytes = 0;
  #found = 0;

  constructor(options: ScrubOptions, dependencies: Dependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  start(): void {
    if (this.#options.bytesPerSecond > 0) this.#schedule(TURN_MS);
  }

  /** Goes through nothing while `work` writes over all of it, and then begins anew. */
  async without(work: () => Promise<void>): Promise<void> {
    this.#paused = true;
    this.#timer?.cancel();
    await this.#turn;
    this.#pass = null;
    await work();
    this.#paused = false;
    if (!this.#stopped) this.start();
  }

  /** Waits for the step under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#turn;
  }

  status(): StoreStatus {
    const { waiting, mended } = this.#dependencies.mender;
    return { part: this.#part, passes: this.#passes, bytes: this.#bytes, found: this.#found, mended, waiting };
  }

  /**
   * Takes up damage that somebody ran into.
   *
   * @returns whether the replica can go on: what was read is not there now, and may be there later
   */
  takes(error: unknown): boolean {
    const damage = damageOf(error);
    if (damage === null) return false;
    this.#take(damage);
    return damage.kind !== 'store';
  }

  #take(damage: Damage): void {
    const { mender, fail } = this.#dependencies;
    if (damage.kind !== 'store') {
      if (mender.add(damage)) this.#found++;
      return;
    }
    this.#found++;
    fail(damage.error);
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#dependencies.clock.schedule(delayMs, () => {
      this.#turn = this.#scrub().catch((error: unknown) => this.#dependencies.fail(error));
    });
  }

  /** One helping: as many bytes as there is time until the next. A single step may take more, and is paid for with a longer wait. */
  async #scrub(): Promise<void> {
    const { ledger, store, log } = this.#dependencies;
    const { bytesPerSecond, intervalMs } = this.#options;
    this.#pass ??= scrub({ ledger, store });
    const helping = (bytesPerSecond * TURN_MS) / 1000;
    let bytes = 0;
    while (bytes < helping && !this.#stopped && !this.#paused) {
      const next = await this.#pass.next();
      if (next.done) {
        this.#pass = null;
        this.#part = null;
        this.#passes++;
        log.info({ passes: this.#passes, bytes: this.#bytes, found: this.#found }, 'the store was gone through');
        break;
      }
      const { value: step } = next;
      bytes += step.bytes;
      this.#bytes += step.bytes;
      this.#part = step.part;
      if (step.damage !== null) this.#take(step.damage);
    }
    this.#bytes += bytes;
    if (!this.#stopped && !this.#paused)
      this.#schedule(this.#pass === null ? intervalMs : Math.max(TURN_MS, (bytes / bytesPerSecond) * 1000));
  }
}
