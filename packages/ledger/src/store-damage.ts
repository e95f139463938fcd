import { fromHex, type Hash, NacreError } from '@nacre/base';
import { hashAtBlockKey, hashAtBodyKey } from './keys.ts';

/** What reading a store that is not as it was written ends in: its own errors, and those of whoever finds parts that do not fit together. */
const CODES: ReadonlySet<string> = new Set(['STORE_DAMAGED', 'LEDGER_DAMAGED', 'PAGE_MISSING', 'PAGE_DAMAGED', 'TILE_MISSING']);
/** Causes of causes that are looked at. */
const CAUSES_MAX = 8;

/** What has to be fetched to mend a store. */
export type Damage =
  /** A compact block, or a transaction: whoever has it can give it again, and its hash says whether it is the one. */
  | { readonly kind: 'block' | 'body'; readonly hash: Hash; readonly error: NacreError }
  /** State, logs, indexes and everything else that only executing the chain anew gives again. */
  | { readonly kind: 'store'; readonly error: NacreError };

/**
 * The damage that an error tells of, itself or in what caused it. Null for everything else, such as a disk that is full or a bug, where
 * another store would be no better.
 */
export function storeDamage(error: unknown): NacreError | null {
  let cause = error;
  for (let depth = 0; depth < CAUSES_MAX && cause instanceof Error; depth++) {
    if (cause instanceof NacreError && CODES.has(String(cause.code))) return cause;
    cause = cause.cause;
  }
  return null;
}

/** As {@link storeDamage}, with what would mend it. */
export function damageOf(cause: unknown): Damage | null {
  const error = storeDamage(cause);
  if (error === null) return null;
  const { key, blockHash, bodyHash } = error.fields;
  const stored = bytesIn(key);
  const block = bytesIn(blockHash) ?? (stored && hashAtBlockKey(stored));
  if (block !== undefined) return { kind: 'block', hash: block, error };
  const body = bytesIn(bodyHash) ?? (stored && hashAtBodyKey(stored));
  return body === undefined ? { kind: 'store', error } : { kind: 'body', hash: body, error };
}

function bytesIn(field: unknown): Uint8Array | undefined {
  return typeof field === 'string' ? fromHex(field) : undefined;
}
