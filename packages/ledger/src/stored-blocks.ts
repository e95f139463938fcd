import type { Hash } from '@nacre/base';
import type { Certificate } from '@nacre/consensus';
import type { Block } from './block.ts';
import type { BlockStore } from './block-store.ts';
import type { Genesis } from './genesis.ts';
import type { Header } from './header.ts';
import type { IncludedIds } from './snapshot-part.ts';
import { type Transaction, transactionIdOf } from './transaction.ts';

/** What of the blocks is stored here: the part of a ledger that needs no state. */
export class StoredBlocks {
  readonly genesis: Genesis;
  protected readonly blocks: BlockStore;

  protected constructor(genesis: Genesis, blocks: BlockStore) {
    this.genesis = genesis;
    this.blocks = blocks;
  }

  /**
   * Lowest height from which on all blocks up to the tip are here with their transactions: 1 unless blocks were pruned, or the chain was taken up
   * from a snapshot. Records of lower heights are refused as `RECORD_PRUNED`; of their blocks, headers are here that proofs need.
   */
  get firstHeight(): number {
    return this.blocks.firstHeight;
  }

  /** Whether the block is stored, decided or not. */
  hasBlock(hash: Hash): boolean {
    return this.blocks.has(hash);
  }

  /** A stored block with its transactions, whose signatures were verified before it was stored. */
  loadBlock(hash: Hash): { readonly block: Block; readonly transactions: readonly Transaction[] } | undefined {
    const block = this.blocks.block(hash);
    if (block === undefined) return undefined;
    return { block, transactions: block.bodyHashes.map((bodyHash) => this.blocks.transaction(bodyHash)) };
  }

  blockAt(height: number): Block | undefined {
    return this.blocks.at(height);
  }

  blockByHash(hash: Hash): Block | undefined {
    return this.blocks.block(hash);
  }

  /** Minimal certificate, verified when it was stored, of a block after which another committee decides; undefined for any other block. */
  linkCertificate(height: number): Certificate | undefined {
    return this.blocks.link(height);
  }

  headerAt(height: number): Header | undefined {
    return this.blocks.headerAt(height);
  }

  /** Whether a decided block holds the transaction, be the block here or not. How it ended is known only of blocks that are here. */
  isIncluded(txId: Hash): boolean {
    return this.blocks.isIncluded(txId);
  }

  /** Of a block inside the validity window of a snapshot, which is not here itself. */
  includedIds(height: number): { readonly timeMs: number; readonly encoded: IncludedIds } | undefined {
    return this.blocks.includedIds(height);
  }

  /** Encoded transaction by body hash, whether it waits, or stands in a block. */
  body(bodyHash: Hash): Uint8Array | undefined {
    return this.blocks.body(bodyHash);
  }

  /** Whether the store has the body. */
  hasBody(bodyHash: Hash): boolean {
    return this.blocks.body(bodyHash) !== undefined;
  }

  /** Id of a stored transaction, read without decoding the whole of it: a block may list thousands. */
  transactionId(bodyHash: Hash): Hash | undefined {
    const bytes = this.blocks.body(bodyHash);
    return bytes === undefined ? undefined : transactionIdOf(bytes, this.genesis);
  }
}
