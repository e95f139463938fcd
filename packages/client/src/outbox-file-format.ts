import { bytesEqual, concatBytes, fail, fromUtf8, HASH_BYTES, ok, type Result, toHex, utf8 } from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import type { StoredItem } from './outbox-store.ts';

const FORMAT_VERSION = 1;
const CONTENT_TAG = 'nacre/1/outbox-file';
const NAME_TAG = 'nacre/1/outbox-file-name';

/** The name of an item's file: ids may hold what file systems do not take. */
export function itemFileName(id: string): string {
  return `${toHex(taggedHash(NAME_TAG, utf8(id)))}.item`;
}

/** Version (1 byte), hash of the rest (32), and the item in JSON. */
export function encodeItemFile({ id, content }: StoredItem): Uint8Array {
  const body = utf8(JSON.stringify({ id, content }));
  return concatBytes(Uint8Array.of(FORMAT_VERSION), taggedHash(CONTENT_TAG, body), body);
}

/** @returns the item, or what is wrong with the file */
export function decodeItemFile(bytes: Uint8Array): Result<StoredItem, string> {
  if (bytes.length < 1 + HASH_BYTES) return fail(`it has ${bytes.length} bytes only`);
  if (bytes[0] !== FORMAT_VERSION) return fail(`its format version is ${bytes[0]}, not ${FORMAT_VERSION}`);
  const body = bytes.subarray(1 + HASH_BYTES);
  const hash = bytes.subarray(1, 1 + HASH_BYTES);
  if (!bytesEqual(taggedHash(CONTENT_TAG, body), hash)) return fail('its checksum does not fit');
  const text = fromUtf8(body);
  if (text === undefined) return fail('it is not UTF-8');
  try {
    const { id, content } = JSON.parse(text) as Partial<StoredItem>;
    if (typeof id === 'string' && typeof content === 'string') return ok({ id, content });
  } catch {
    // Said below.
  }
  return fail('it holds no item');
}
