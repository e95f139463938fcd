import { type Hash, type Log, type Store, type StoreOperation, toHex } from '@nacre/base';
import { blockOperation, bodyOperation, type Damage, type Ledger } from '@nacre/ledger';
import type { PeerRequests } from './peer-requests.ts';

/** Blocks and bodies waiting to be fetched. Beyond: the next scrub finds them again. */
const WANTED_MAX = 4096;
/** Fetched in one go; each costs a request to one peer after the other until one has it. */
const MENDED_PER_TICK = 64;

type Wanted = Extract<Damage, { readonly hash: Hash }>;

interface Dependencies {
  readonly ledger: Ledger;
  readonly store: Store;
  readonly requests: PeerRequests;
  readonly log: Log;
}

/**
 * Fetches damaged blocks and bodies from peers and puts them back. Both are known by their hashes, so what a peer gives is verified before it is
 * written, and who gives something else is penalized.
 */
export class Mender {
  readonly #dependencies: Dependencies;
  readonly #wanted = new Map<string, Wanted>();
  #mended = 0;
  #isBusy = false;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /** Found and not mended yet. */
  get waiting(): number {
    return this.#wanted.size;
  }

  /** Mended since the start. */
  get mended(): number {
    return this.#mended;
  }

  /** @returns whether nobody had found it yet */
  add(damage: Wanted): boolean {
    const id = toHex(damage.hash);
    if (this.#wanted.has(id) || this.#wanted.size >= WANTED_MAX) return false;
    this.#wanted.set(id, damage);
    this.#dependencies.log.error({ kind: damage.kind, hash: id, error: damage.error.message }, 'damage found, asking peers');
    return true;
  }

  /** Asks peers for some of what waits; what nobody has stays for the next time. */
  async tick(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (const [id, wanted] of [...this.#wanted].slice(0, MENDED_PER_TICK)) {
        // To the end of the queue, so that one that nobody has keeps no other from its turn.
        this.#wanted.delete(id);
        this.#wanted.set(id, wanted);
        const operation = await this.#fetch(wanted);
        if (operation === null) continue;
        await this.#dependencies.store.write([operation], { sync: true });
        this.#wanted.delete(id);
        this.#mended++;
        this.#dependencies.log.warn({ kind: wanted.kind, hash: id }, 'damage mended');
      }
    } finally {
      this.#isBusy = false;
    }
  }

  async #fetch({ kind, hash }: Wanted): Promise<StoreOperation | null> {
    const { requests, ledger } = this.#dependencies;
    for (const peer of requests.order(null)) {
      if (kind === 'body') {
        const [transaction] = await requests.bodies(peer, [hash]);
        if (transaction !== undefined) return bodyOperation(transaction);
        continue;
      }
      const block = await requests.block(peer, hash);
      if (block === null) continue;
      // No header's hash covers the signatures beside it.
      const signatures = await ledger.verifyBlockSignatures(block);
      if (signatures.ok) return blockOperation(block);
      requests.penalize(peer, signatures.error);
    }
    return null;
  }
}
