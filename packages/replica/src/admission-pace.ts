import type { Clock } from '@nacre/base';
import type { ChainParameters } from '@nacre/ledger';
import type { Mempool } from './mempool.ts';

/**
 * Blocks' worth of bytes that may be pending before clients are slowed down. Lower: a block may find less than fits into it. Higher: verifying,
 * storing and passing on what no block has room for takes the time that the blocks need.
 */
const BLOCKS_AHEAD = 2;
/** A transaction waits this long for room, in ms, and is admitted then: who is cut off decides nothing for long, and takes what clients have. */
const WAIT_MS = 1_000;
/** Transactions that wait at once. */
const WAITING_MAX = 4_096;

interface Waiting {
  readonly bytes: number;
  readonly sinceMs: number;
  readonly enter: (entered: boolean) => void;
}

interface Dependencies {
  readonly ledger: { readonly parameters: Pick<ChainParameters, 'blockBytesMax'> };
  readonly mempool: Pick<Mempool, 'bytes'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/**
 * Slows clients down to what the network decides. A node admits transactions several times as fast as blocks can hold them, and all that it
 * does for one is done by all: without this, a burst of 20,000 kept four nodes on two cores from deciding anything for nine seconds.
 */
export class AdmissionPace {
  readonly #dependencies: Dependencies;
  readonly #waiting: Waiting[] = [];
  /** Bytes of what has entered and may not be counted by the mempool yet. */
  #enteringBytes = 0;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /** @returns `admit`'s result, once it was this transaction's turn; `busy`'s if too many wait already */
  async run<Admitted>(bytes: number, admit: () => Promise<Admitted>, busy: () => Admitted): Promise<Admitted> {
    if (!(await this.#enter(bytes))) return busy();
    try {
      return await admit();
    } finally {
      this.#enteringBytes -= bytes;
    }
  }

  /** Lets in who has room now, or has waited long enough. Call when the mempool has shrunk, and as time goes by. */
  release(nowMs: number): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!this.#hasRoom && nowMs - next.sinceMs < WAIT_MS) return;
      this.#waiting.shift();
      this.#enteringBytes += next.bytes;
      next.enter(true);
    }
  }

  #enter(bytes: number): Promise<boolean> | boolean {
    if (this.#waiting.length === 0 && this.#hasRoom) {
      this.#enteringBytes += bytes;
      return true;
    }
    if (this.#waiting.length === WAITING_MAX) return false;
    return new Promise((enter) => {
      this.#waiting.push({ bytes, sinceMs: this.#dependencies.clock.nowMs(), enter });
    });
  }

  get #hasRoom(): boolean {
    const { ledger, mempool } = this.#dependencies;
    return mempool.bytes + this.#enteringBytes < BLOCKS_AHEAD * ledger.parameters.blockBytesMax;
  }
}
