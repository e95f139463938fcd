import { type Hash, RECENT_BLOCKS_MAX } from '@nacre/base';
import type { Applied, Block } from '@nacre/ledger';
import type { NodeBackend } from '../backend.ts';

/** What events tell of a block. */
export interface BlockSummary {
  readonly height: number;
  readonly hash: Hash;
  readonly timeMs: number;
  readonly proposer: Uint8Array;
  readonly transactionCount: number;
  /** Of the transaction at a place in the block. */
  readonly txIdAt: (index: number) => Hash | undefined;
}

/** Summaries of decided blocks: the last ones from memory, so that many live readers cost one reading; earlier ones from the store. */
export class RecentBlocks {
  readonly #backend: NodeBackend;
  readonly #recent = new Map<number, BlockSummary>();

  constructor(backend: NodeBackend) {
    this.#backend = backend;
  }

  /** Call after each block. */
  add({ height, blockHash, timeMs, statuses }: Applied): void {
    const { header } = this.#backend.ledger.tip;
    if (header === null) return;
    this.#recent.set(height, {
      height,
      hash: blockHash,
      timeMs,
      proposer: header.proposer,
      transactionCount: statuses.length,
      txIdAt: (index) => statuses[index]?.txId,
    });
    this.#recent.delete(height - RECENT_BLOCKS_MAX);
  }

  at(height: number): BlockSummary | undefined {
    const recent = this.#recent.get(height);
    if (recent !== undefined) return recent;
    const block = this.#backend.ledger.blockAt(height);
    return block && this.#summaryOf(block);
  }

  #summaryOf({ header, hash, bodyHashes }: Block): BlockSummary {
    const { ledger } = this.#backend;
    return {
      height: header.height,
      hash,
      timeMs: header.timeMs,
      proposer: header.proposer,
      transactionCount: bodyHashes.length,
      txIdAt: (index) => {
        const bodyHash = bodyHashes[index];
        return bodyHash && ledger.transactionId(bodyHash);
      },
    };
  }
}
