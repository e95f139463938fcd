import { ContainerType } from '@chainsafe/ssz';
import { fromUtf8, type Hash, ok, type Result, type Store, toHex, utf8 } from '@nacre/base';
import { type Codec, convertedCodec, strictCodec, Uint53Type } from '@nacre/consensus';
import type { FailureCode, Outcome } from './block-effects.ts';
import { LedgerError } from './errors.ts';
import { expiredKey, statusKey } from './keys.ts';
import type { TransactionStatus } from './ledger-types.ts';
import { NameType, Uint32Type } from './wire.ts';

/** Where a transaction stands in the chain, and how it ended there. */
export type IncludedStatus = Outcome & { readonly height: number; readonly index: number };

/** The first decided block, seen here, that was past the transaction's time. */
export interface ExpiredStatus {
  readonly height: number;
  readonly timeMs: number;
}

const IncludedType = new ContainerType({
  height: Uint53Type,
  index: Uint32Type,
  /** Code of the failure; empty if there was none. */
  code: NameType,
  operation: Uint32Type,
});

export const includedStatusCodec: Codec<IncludedStatus> = convertedCodec(IncludedType, {
  name: 'transaction status',
  bytesMax: 128,
  toWire: (status) => {
    const { height, index } = status;
    if (status.status === 'committed') return { height, index, code: new Uint8Array(0), operation: 0 };
    return { height, index, code: utf8(status.reason.code), operation: status.reason.operation };
  },
  fromWire: ({ height, index, code, operation }) => {
    if (code.length === 0) return { status: 'committed', height, index };
    const text = fromUtf8(code);
    if (text === undefined) throw new RangeError('not UTF-8');
    return { status: 'failed', height, index, reason: { code: text as FailureCode, operation } };
  },
});

export const expiredStatusCodec: Codec<ExpiredStatus> = strictCodec(new ContainerType({ height: Uint53Type, timeMs: Uint53Type }), {
  name: 'expired status',
  bytesMax: 16,
});

/** Final status of a transaction as stored. @throws {LedgerError} code `LEDGER_DAMAGED` */
export function readStatus(store: Store, txId: Hash): TransactionStatus | undefined {
  const included = store.get(statusKey(txId));
  const bytes = included ?? store.get(expiredKey(txId));
  if (bytes === undefined) return undefined;
  const decoded = included === undefined ? expiredFrom(bytes) : includedStatusCodec.decode(bytes);
  if (!decoded.ok) throw LedgerError.damaged('a transaction status does not decode', { fields: { txId: toHex(txId) } });
  return decoded.value;
}

function expiredFrom(bytes: Uint8Array): Result<TransactionStatus> {
  const decoded = expiredStatusCodec.decode(bytes);
  return decoded.ok ? ok({ status: 'expired', ...decoded.value }) : decoded;
}
