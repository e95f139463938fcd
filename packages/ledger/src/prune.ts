import { BLOCKS_KEPT_MIN, type Hash, type StoreOperation, type StoreRange, uint64Bytes } from '@nacre/base';
import { changesCommittee, encodeHeader } from './header.ts';
import { blockKey, bodyKey, firstHeightKey, heightKey, keptHeaderKey, prunedRanges } from './keys.ts';
import type { Ledger } from './ledger.ts';

/** How much of the chain a node keeps; what is 0 keeps nothing by itself, and both 0 keep everything. */
export interface Retention {
  /** Latest blocks. */
  readonly blocks: number;
  /** Blocks of the last so many ms of block time. */
  readonly ageMs: number;
}

/** Where {@link pruneOperations} leaves room, for whoever gives it back to the disk. */
export const PRUNED_RANGES: readonly Pick<StoreRange, 'gte' | 'lt'>[] = prunedRanges();

/** What removing the blocks below a height takes. */
export interface Pruning {
  readonly operations: readonly StoreOperation[];
  /** Of the values that go. */
  readonly bytes: number;
}

type Chain = Pick<Ledger, 'tip' | 'firstHeight' | 'parameters' | 'blockAt' | 'headerAt' | 'body' | 'read'>;

/**
 * How many of the first blocks here may go. What stays: what either bound keeps; the blocks in which a transaction may stand that is still valid,
 * whose ids decide about duplicates; and the last blocks in any case, to which commits may still be credited.
 *
 * @param max no more are looked at
 */
export function prunableBlocks(ledger: Chain, { blocks, ageMs }: Retention, max: number): number {
  const { tip, firstHeight, parameters } = ledger;
  if (blocks === 0 && ageMs === 0) return 0;
  const held = tip.height - firstHeight + 1;
  const keptFromMs = tip.timeMs - Math.max(ageMs, parameters.validityWindowMs);
  let [low, high] = [0, Math.max(0, Math.min(max, held - Math.max(blocks, BLOCKS_KEPT_MIN)))];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const header = ledger.headerAt(firstHeight + middle - 1);
    if (header !== undefined && header.timeMs < keptFromMs) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * What takes out the blocks from the first one here up to `below`, excluded: compact blocks with their certificates, and bodies. Of the last
 * block of a committee the header stays, and its certificate anyway, which together show who came next. Statuses, the trees over headers and
 * records, and where records stood remain as well; so does a body with evidence, which is asked for as long as the offence counts.
 */
export function pruneOperations(ledger: Chain, below: number): Pruning {
  const operations: StoreOperation[] = [];
  let bytes = 0;
  const remove = (key: Uint8Array, length: number): void => {
    operations.push({ type: 'delete', key });
    bytes += length;
  };
  for (let height = ledger.firstHeight; height < below; height++) {
    const block = ledger.blockAt(height);
    if (block === undefined) continue;
    for (const hash of block.bodyHashes) {
      const length = removableBytes(ledger, hash);
      if (length !== null) remove(bodyKey(hash), length);
    }
    if (changesCommittee(block.header)) operations.push({ type: 'put', key: keptHeaderKey(height), value: encodeHeader(block.header) });
    remove(blockKey(block.hash), block.bytes.length);
    operations.push({ type: 'delete', key: heightKey(height) });
  }
  operations.push({ type: 'put', key: firstHeightKey(), value: uint64Bytes(below) });
  return { operations, bytes };
}

function removableBytes(ledger: Chain, hash: Hash): number | null {
  const bytes = ledger.body(hash);
  const read = bytes && ledger.read(bytes);
  if (bytes === undefined || !read?.ok) return bytes?.length ?? null;
  return read.value.contents.operations.some(({ kind }) => kind === 'evidence') ? null : bytes.length;
}
