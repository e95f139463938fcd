import { bytesEqual, compareBytes, concatBytes, fail, fromHex, type Hash, ok, type Refusal, type Result, toHex } from '@nacre/base';
import {
  buildSubtree,
  CHILDREN,
  childHash,
  childId,
  decodePage,
  isEmptyHash,
  type PageChange,
  type PageId,
  pageHash,
  STATE_KEY_BYTES,
} from '@nacre/crypto';
import { type PartName, type StateEntry, statePart, statePartCodec } from './snapshot-part.ts';
import { SERVICE, stateValueHash } from './state-kinds.ts';

/** Digits of a key in hexadecimal: a place of this length is one value. */
const KEY_DIGITS = 2 * STATE_KEY_BYTES;
/** How a service begins: the offset of its definition, behind which stands the sponsor. Accounts and most others begin otherwise. */
const SERVICE_OFFSET = 36;

/** A part of the state that is what the tree says. */
export interface VerifiedState {
  /** Those of the tree that the part stands for. */
  readonly pages: readonly PageChange[];
  readonly values: readonly { readonly key: Hash; readonly value: Uint8Array }[];
  /** What it leads to: the hash of each part below it. */
  readonly below: readonly { readonly name: PartName; readonly hash: Hash }[];
}

/**
 * Checks one part of a state by itself.
 *
 * @param place hexadecimal digits of the part's name
 * @param hash what the part above, or the header, says of it
 * @returns code `SNAPSHOT_PART`
 */
export function verifyStatePart(place: PageId, hash: Hash, bytes: Uint8Array): Result<VerifiedState, Refusal> {
  if (place.length === KEY_DIGITS) {
    if (!bytesEqual(stateValueHash(bytes), hash)) return refuse(place, 'another value');
    return ok({ pages: [], values: [{ key: fromHex(place) as Hash, value: bytes }], below: [] });
  }
  const part = statePartCodec.decode(bytes);
  if (!part.ok) return part;
  return part.value.kind === 'branch' ? verifyBranch(place, hash, part.value.page) : verifyEntries(place, hash, part.value.entries);
}

function verifyBranch(place: PageId, hash: Hash, bytes: Uint8Array): Result<VerifiedState, Refusal> {
  const page = decodePage(place, bytes);
  if (!page.ok) return page;
  const branch = page.value;
  if (branch.kind !== 'branch' || !bytesEqual(pageHash(branch), hash)) return refuse(place, 'another page');
  const below: { name: PartName; hash: Hash }[] = [];
  for (let child = 0; child < CHILDREN; child++) {
    const hashBelow = childHash(branch, child);
    if (!isEmptyHash(hashBelow)) below.push({ name: statePart(childId(place, child)), hash: hashBelow.slice() });
  }
  return ok({ pages: [{ id: place, page: branch }], values: [], below });
}

function verifyEntries(place: PageId, hash: Hash, entries: readonly StateEntry[]): Result<VerifiedState, Refusal> {
  const values: { key: Hash; value: Uint8Array }[] = [];
  const below: { name: PartName; hash: Hash }[] = [];
  const leaves: Uint8Array[] = [];
  let before: Hash | null = null;
  // What lies between two keys of the place, in order, is of the place.
  for (const end of [entries[0], entries.at(-1)])
    if (end !== undefined && !toHex(end.key).startsWith(place)) return refuse(place, 'entries out of place');
  for (const { key, content } of entries) {
    if (before !== null && compareBytes(before, key) >= 0) return refuse(place, 'entries out of place');
    before = key;
    if ('value' in content) {
      values.push({ key, value: content.value });
      leaves.push(key, stateValueHash(content.value));
    } else {
      below.push({ name: statePart(toHex(key)), hash: content.valueHash });
      leaves.push(key, content.valueHash);
    }
  }
  if (leaves.length === 0) return refuse(place, 'no entries');
  const { root, pages } = buildSubtree(place, concatBytes(...leaves));
  return bytesEqual(root, hash) ? ok({ pages, values, below }) : refuse(place, 'entries that the tree does not hold');
}

/** The name of a service if an entry of the state is one: its key follows from its name, so none can pass for another. */
export function serviceNameOf(key: Hash, value: Uint8Array): string | null {
  // Of a million entries few are one, so that looking at the bytes themselves is worth it: a view of each costs more than all else here.
  if (value.length < 4 || value[0] !== SERVICE_OFFSET || value[1] !== 0 || value[2] !== 0 || value[3] !== 0) return null;
  const service = SERVICE.codec.decode(value);
  if (!service.ok) return null;
  const { name } = service.value;
  return bytesEqual(SERVICE.stateKey(name), key) ? name : null;
}

function refuse(place: PageId, problem: string): Result<never, Refusal> {
  return fail({ code: 'SNAPSHOT_PART', part: statePart(place), problem });
}
