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
 * transaction once.
 */
export class ChainChecker {
  readonly #report: Report;
  /** What anyone has decided, ever; index is the height. */
  readonly #blocks: (ChainBlock | undefined)[] = [];
  readonly #heightOfTransaction = new Map<string, number>();
  /** Height that each running process is at. */
  readonly #heights = new Map<number, number>();

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

  /** A process has started with this block as its tip. */
  opened(node: number, tip: SeenBlock): void {
    if (tip.height > 0) this.#see(node, tip);
    this.#heights.set(node, tip.height);
  }

  /** @param transactions ids of all transactions of the block, failed ones included */
  decided(node: number, block: SeenBlock, transactions: readonly Hash[]): void {
    const before = this.#heights.get(node) ?? 0;
    if (block.height !== before + 1) this.#report('ORDER', `node ${node} decided height ${block.height} after ${before}`);
    this.#heights.set(node, block.height);
    this.#see(node, block);
    for (const txId of transactions) this.#place(toHex(txId), block.height);
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
