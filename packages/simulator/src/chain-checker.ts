import { type Hash, toHex } from '@nacre/base';
import type { Report } from './violation.ts';

/** A block as one replica decided it. */
export interface SeenBlock {
  readonly height: number;
  readonly blockHash: Hash;
  readonly stateRoot: Hash;
  readonly timeMs: number;
}

interface ChainBlock {
  readonly blockHash: string;
  readonly stateRoot: string;
  readonly timeMs: number;
  readonly firstNode: number;
}

/**
 * One chain for all replicas in all their lives: one block and one state per height, blocks one after another, each
 * transaction once. Whoever takes up a snapshot leaves out blocks, up to one that was decided by others.
 */
export class ChainChecker {
  readonly #report: Report;
  /** What anyone has decided, ever; index is the height. */
  readonly #blocks: (ChainBlock | undefined)[] = [];
  readonly #heightOfTransaction = new Map<string, number>();
  /** Height that each running process is at. */
  readonly #heights = new Map<number, number>();
  /** Height of the last snapshot that each node has taken up. */
  readonly #leaps = new Map<number, number>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** The highest block that any replica has decided. */
  get height(): number {
    return Math.max(0, this.#blocks.length - 1);
  }

  /** Height of the block that holds the transaction, if any replica has decided one. */
  heightOf(txId: string): number | undefined {
    return this.#heightOfTransaction.get(txId);
  }

  /** Hash of the block of a height, in hexadecimal, if any replica has decided one. */
  hashOf(height: number): string | undefined {
    return this.#blocks[height]?.blockHash;
  }

  /** Time of the block of a height, if any replica has decided one. */
  timeMsOf(height: number): number | undefined {
    return this.#blocks[height]?.timeMs;
  }

  /** Height of the snapshot that a node has taken up last; 0 if it has taken up none. */
  leaptTo(node: number): number {
    return this.#leaps.get(node) ?? 0;
  }

  /**
   * Whether a node may know nothing of a transaction any more although it has acknowledged it: a snapshot says which transactions were included, and
   * not how they ended, and nothing of those that could not come any more by its block.
   */
  mayHaveForgotten(node: number, txId: string, validUntilMs: number): boolean {
    const base = this.leaptTo(node);
    if (base === 0) return false;
    const height = this.heightOf(txId);
    return height === undefined ? validUntilMs < (this.timeMsOf(base) ?? 0) : height <= base;
  }

  /**
   * A process has started at this block.
   *
   * @param firstHeight of the blocks that it has
   * @returns whether it has taken up a snapshot since it was seen last
   */
  stands(node: number, tip: SeenBlock, firstHeight = 1): boolean {
    const before = this.#heights.get(node) ?? 0;
    if (tip.height > 0) this.#see(node, tip);
    this.#heights.set(node, tip.height);
    if (firstHeight === 1) this.#leaps.delete(node);
    return this.#leap(node, { before, firstHeight });
  }

  /**
   * @param transactions ids of all transactions of the block, failed ones included
   * @returns whether the node has taken up a snapshot since the block before
   */
  decided(node: number, block: SeenBlock, transactions: readonly Hash[], firstHeight = 1): boolean {
    const hasLeapt = this.#leap(node, { before: this.#heights.get(node) ?? 0, firstHeight });
    const before = hasLeapt ? this.leaptTo(node) : (this.#heights.get(node) ?? 0);
    if (block.height !== before + 1) this.#report('ORDER', `node ${node} decided height ${block.height} after ${before}`);
    this.#heights.set(node, block.height);
    this.#see(node, block);
    for (const txId of transactions) this.#place(toHex(txId), block.height);
    return hasLeapt;
  }

  /**
   * A process is looked at between two blocks; the one that it has just applied may not have been told yet.
   *
   * @returns whether it has taken up a snapshot since it was seen last
   */
  has(node: number, firstHeight: number): boolean {
    const hasLeapt = this.#leap(node, { before: this.#heights.get(node) ?? 0, firstHeight });
    if (hasLeapt) this.#heights.set(node, firstHeight - 1);
    return hasLeapt;
  }

  /** Pruning removes no block that its node was not seen at; a snapshot leaves out the very blocks that it was not. */
  #leap(node: number, { before, firstHeight }: { readonly before: number; readonly firstHeight: number }): boolean {
    if (firstHeight <= before + 1) return false;
    const base = firstHeight - 1;
    if (this.#blocks[base] === undefined)
      this.#report('ORDER', `node ${node} has taken up the state after ${base}, which nobody has decided`);
    this.#leaps.set(node, base);
    return true;
  }

  #see(node: number, { height, blockHash, stateRoot, timeMs }: SeenBlock): void {
    const seen: ChainBlock = { blockHash: toHex(blockHash), stateRoot: toHex(stateRoot), timeMs, firstNode: node };
    const first = this.#blocks[height];
    if (first === undefined) {
      this.#blocks[height] = seen;
    } else if (first.blockHash !== seen.blockHash) {
      this.#report('AGREEMENT', `height ${height}: node ${first.firstNode} decided ${first.blockHash}, node ${node} ${seen.blockHash}`);
    } else if (first.stateRoot !== seen.stateRoot) {
      this.#report('AGREEMENT', `height ${height}: state ${first.stateRoot} at node ${first.firstNode}, ${seen.stateRoot} at node ${node}`);
    }
  }

  #place(txId: string, height: number): void {
    const first = this.#heightOfTransaction.get(txId);
    if (first === undefined) this.#heightOfTransaction.set(txId, height);
    else if (first !== height) this.#report('APPLIED_TWICE', `transaction ${txId} is in blocks ${first} and ${height}`);
  }
}
