import { bytesEqual, compareBytes, HASH_BYTES, type Hash } from '@nacre/base';
import { type Ledger, PRUNED_RANGES, storeDamage } from '@nacre/ledger';

/**
 * Whether a node that finds out what is spoilt in its store has to find this value. Blocks and transactions from before a snapshot that it went on
 * from, their places, and blocks that lost their height, may still stand there; nobody reads them any more, so nobody stumbles on them.
 *
 * @param key of a value in the store
 */
export function isNeeded(key: Uint8Array, ledger: Pick<Ledger, 'tip' | 'firstHeight' | 'blockAt'>): boolean {
  const isOfBlocks = PRUNED_RANGES.some(({ gte, lt }) => compareBytes(key, gte) >= 0 && compareBytes(key, lt) < 0);
  if (!isOfBlocks) return true;
  const hash: Hash = key.subarray(1);
  if (hash.length !== HASH_BYTES) return Number(new DataView(key.buffer, key.byteOffset + 1).getBigUint64(0)) >= ledger.firstHeight;
  try {
    for (let height = ledger.firstHeight; height <= ledger.tip.height; height++) {
      const block = ledger.blockAt(height);
      if (block !== undefined && [block.hash, ...block.bodyHashes].some((held) => bytesEqual(held, hash))) return true;
    }
    return false;
  } catch (error) {
    if (storeDamage(error) === null) throw error;
    return true;
  }
}
