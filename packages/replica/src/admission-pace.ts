import type { Clock } from '@nacre/base';
import type { ChainParameters } from '@nacre/ledger';
import type { Mempool } from './mempool.ts';

/**
 * Blocks' worth of bytes that may be pending before clients are slowed down. Lower: a block may find less than fits into it. Higher: verifying,
 * storing and passing on what no block has room for takes the time that the blocks need.
 */
const BLOCKS_AHEAD = 2;
/**
 * While blocks are decided, who has waited this long for room, in ms, is refused. When none has been decided for as long, everything is admitted
 * until the next one: who is cut off takes what its clients have, up to the bounds of the mempool.
 */
const WAIT_MS = 5_000;
/** Transactions that wait at once, and their bytes. Beyond: refused at once. */
const WAITING_MAX = { count: 4_096, bytes: 32 * 1024 * 1024 };

interface Waiting {
  readonly bytes: number;
  readonly sinceMs: number;
  readonly enter: (entered: boolean) => void;
}

interface Dependencies {
  readonly ledger: { readonly parameters: Pick<ChainParameters, 'blockBytesMax'> };
  readonly mempool: Pick<Mempool, 'bytes' | 'waitsForRoom'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/**
 * Slows clients down to what the network decides. A node admits transactions several times as fast as blocks can hold them, and all that it
 * does for one is done by all: without this, a burst of 20,000 kept four nodes on two cores from deciding anything for nine seconds.
 */
export class AdmissionPace {
  readonly #dependencies: Dependencies;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Bytes of what has entered and may not be counted by the mempool yet. */
  #enteringBytes = 0;
  /** Bytes pending that a block had room for and did not take: they wait for something else, a quota's next window for one. */
  #leftBytes = 0;
  /** Since when somebody waits and no block was decided, in ms. */
  #stuckSinceMs = 0;
  #isStuck = false;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /** @returns `admit`'s result, once it was this transaction's turn; `busy`'s if too many wait already or the wait was too long */
  async run<Admitted>(bytes: number, admit: () => Promise<Admitted>, busy: () => Admitted): Promise<Admitted> {
    if (!(await this.#enter(bytes))) return busy();
    try {
      return await admit();
    } finally {
      this.#enteringBytes -= bytes;
    }
  }

  /** Call when a block was decided and the mempool has shrunk by it. */
  decided(nowMs: number): void {
    const { mempool } = this.#dependencies;
    this.#leftBytes = mempool.waitsForRoom ? Math.min(this.#leftBytes, mempool.bytes) : mempool.bytes;
    this.#isStuck = false;
    this.#stuckSinceMs = nowMs;
    this.tick(nowMs);
  }

  /** Call as time goes by, and with an infinite time at the end: all who wait are let in. */
  tick(nowMs: number): void {
    if (this.#waiting.length > 0 && nowMs - this.#stuckSinceMs >= WAIT_MS) this.#isStuck = true;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const enters = this.#hasRoom;
      if (!enters && nowMs - next.sinceMs < WAIT_MS) return;
      this.#waiting.shift();
      this.#waitingBytes -= next.bytes;
      if (enters) this.#enteringBytes += next.bytes;
      next.enter(enters);
    }
  }

  #enter(bytes: number): Promise<boolean> | boolean {
    if (this.#waiting.length === 0 && this.#hasRoom) {
      this.#enteringBytes += bytes;
      return true;
    }
    if (this.#waiting.length === WAITING_MAX.count || this.#waitingBytes + bytes > WAITING_MAX.bytes) return false;
    const sinceMs = this.#dependencies.clock.nowMs();
    if (this.#waiting.length === 0) this.#stuckSinceMs = sinceMs;
    this.#waitingBytes += bytes;
    return new Promise((enter) => {
      this.#waiting.push({ bytes, sinceMs, enter });
    });
  }

  get #hasRoom(): boolean {
    const { ledger, mempool } = this.#dependencies;
    const waitingBytes = mempool.bytes - this.#leftBytes + this.#enteringBytes;
    return this.#isStuck || waitingBytes < BLOCKS_AHEAD * ledger.parameters.blockBytesMax;
  }
}
