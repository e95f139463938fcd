import { type Hash, toHex } from '@nacre/base';
import type { Ledger, Transaction } from '@nacre/ledger';
import { Mempool } from '../../src/mempool.ts';
import { MemoryStore } from './memory-store.ts';
import { openLedger, TestChain } from './test-chain.ts';

/** When the tests of the mempool take place, ms. */
export const NOW_MS = 5;
export const BOUNDS = { pendingCountMax: 100, pendingBytesMax: 10_000_000, accountShareDivisor: 2 };

/** A ledger and a store that can lose power, with a chain that decides. */
export class MempoolStage {
  readonly chain: TestChain;
  readonly store: MemoryStore;
  readonly ledger: Ledger;

  private constructor(chain: TestChain, store: MemoryStore, ledger: Ledger) {
    this.chain = chain;
    this.store = store;
    this.ledger = ledger;
  }

  static async create(): Promise<MempoolStage> {
    const chain = await TestChain.create();
    const store = new MemoryStore();
    return new MempoolStage(chain, store, await openLedger(chain.genesis, store));
  }

  /** The mempool of the first process. */
  mempool(bounds: Partial<typeof BOUNDS> = {}): Mempool {
    return new Mempool({ ...BOUNDS, ...bounds }, { ledger: this.ledger, store: this.store });
  }

  /** The next process on the same disk. */
  async reopened(store: MemoryStore = this.store): Promise<Mempool> {
    const next = new Mempool(BOUNDS, { ledger: await openLedger(this.chain.genesis, store), store });
    await next.restore(NOW_MS);
    return next;
  }

  many(count: number, sponsor = 0): Promise<Transaction[]> {
    return Promise.all(Array.from({ length: count }, () => this.chain.anyTransaction(sponsor)));
  }

  /** The ledger decides these. */
  async decide(transactions: readonly Transaction[], timeMs?: number): Promise<Hash[]> {
    const decided = await this.chain.decide(transactions, timeMs);
    const checked = this.ledger.check(decided.block, decided.transactions);
    if (!checked.ok) throw new Error(checked.error.code);
    const { statuses } = await this.ledger.apply(checked.value, decided.certificate);
    return statuses.map(({ txId }) => txId);
  }
}

export const idsOf = (transactions: Iterable<Transaction>): string[] => [...transactions].map(({ txId }) => toHex(txId));
