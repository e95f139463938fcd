import { concatBytes } from '@nacre/base';
import { LedgerError } from './errors.ts';
import { encodeHeader, type Header } from './header.ts';
import type { Ledger } from './ledger.ts';
import { IDS_BLOCKS_MAX, IDS_PART_BYTES, type IncludedIds, idsPart, idsPartCodec, type PartName } from './snapshot-part.ts';
import { signatureHash } from './transaction.ts';

interface IdsSource {
  readonly ledger: Ledger;
  /** Of the snapshot. */
  readonly header: Header;
  /** How long before that block an id may have been included that may come again. */
  readonly validityWindowMs: number;
  readonly put: (name: PartName, bytes: Uint8Array) => Promise<void>;
  readonly pace: () => Promise<void>;
}

/** Makes the parts that say which transactions may not come again. @returns how many */
export async function makeIds({ ledger, header: top, validityWindowMs, put, pace }: IdsSource): Promise<number> {
  let blocks: IncludedIds[] = [];
  let bytes = 0;
  let parts = 0;
  const flush = async (): Promise<void> => {
    await put(idsPart(parts++), idsPartCodec.encode({ blocks }));
    blocks = [];
    bytes = 0;
  };
  for (let height = top.height; ; height--) {
    const block = includedIn(ledger, height);
    const ids = block.encoded;
    if (blocks.length === IDS_BLOCKS_MAX || bytes >= IDS_PART_BYTES) await flush();
    blocks.push(ids);
    bytes += ids.header.length + ids.ids.length;
    if (height === 1 || block.timeMs <= top.timeMs - validityWindowMs) break;
    await pace();
  }
  await flush();
  return parts;
}

/** What stands in a block, or in its place where the block is not here. */
function includedIn(ledger: Ledger, height: number): { readonly timeMs: number; readonly encoded: IncludedIds } {
  const block = ledger.blockAt(height);
  if (block === undefined) {
    const kept = ledger.includedIds(height);
    if (kept === undefined) throw LedgerError.damaged('a block inside the validity window is missing', { fields: { height } });
    return kept;
  }
  const ids = block.bodyHashes.map((bodyHash) => {
    const body = ledger.body(bodyHash);
    const transaction = body && ledger.read(body);
    if (!transaction?.ok) throw LedgerError.damaged('the body of a stored block is missing or is another one', { fields: { height } });
    return concatBytes(transaction.value.txId, signatureHash(transaction.value.signature));
  });
  return { timeMs: block.header.timeMs, encoded: { header: encodeHeader(block.header), ids: concatBytes(...ids) } };
}
