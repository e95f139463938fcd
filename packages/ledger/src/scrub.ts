import { bytesEqual, type Hash, type NacreError, type Store, type StoreRange, toHex } from '@nacre/base';
import { decodePage, type PageId, type PageReader, pageContent, pageKey } from '@nacre/crypto';
import { Block } from './block.ts';
import { LedgerError } from './errors.ts';
import { blockKey, bodyKey, heightKey, recordKeyKey, statePageKey, stateValueKey, unhashedRanges } from './keys.ts';
import type { Ledger } from './ledger.ts';
import { stateValueHash } from './state-kinds.ts';
import { type Damage, storeDamage } from './store-damage.ts';

/** Entries read at once where only checksums are compared. */
const PAGE = 64;
/** Looks at a page of the state that seems not to fit, while blocks are applied meanwhile. Beyond: it does not fit. */
const ATTEMPTS_MAX = 32;
/** A store asks for as much room as its entry: what a step without one counts for, in bytes. */
const STEP_BYTES = 64;

export interface ScrubStep {
  readonly part: 'state' | 'blocks' | 'checksums';
  /** About how much was read, in bytes. */
  readonly bytes: number;
  readonly damage: Damage | null;
}

interface Subject {
  readonly ledger: Pick<Ledger, 'tip' | 'read' | 'firstHeight'>;
  readonly store: Store;
}

/**
 * Goes once through everything that the store holds, in small steps, while the chain goes on: the tree of the state from its root, with every
 * value in it; every block from the tip down, with its transactions, by the hashes that lead back from the tip; and the checksum of every
 * other value. What fits the tip's hashes and root is what more than two thirds of the weight decided.
 *
 * @throws what the store throws but damage, such as `STORE_CLOSED`
 */
export async function* scrub(subject: Subject): AsyncGenerator<ScrubStep, void> {
  yield* scrubState(subject);
  yield* scrubBlocks(subject);
  yield* scrubChecksums(subject);
}

/**
 * Blocks that are applied change the tree on the way. So a page that does not fit what the page above it said is looked for anew from the
 * root, and is damaged only if it never fits.
 */
async function* scrubState({ ledger, store }: Subject): AsyncGenerator<ScrubStep, void> {
  let bytes = 0;
  const reader: PageReader = {
    get: (id) => {
      const stored = store.get(statePageKey(pageKey(id)));
      bytes += STEP_BYTES + (stored?.length ?? 0);
      const decoded = stored && decodePage(id, stored);
      return decoded?.ok ? decoded.value : undefined;
    },
  };
  const stack: { readonly id: PageId; readonly hash: Hash }[] = [{ id: '', hash: ledger.tip.stateRoot }];
  for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
    const { id, hash } = place;
    let expected: Hash | undefined = hash;
    let error: NacreError | null = null;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      error = null;
      try {
        // Of a place that has no page any more, or not yet, there is nothing to check.
        if (expected === undefined) break;
        const { pages, leaves } = pageContent(reader, id, expected);
        for (const leaf of leaves) bytes += await checkLeaf(store, leaf);
        stack.push(...pages);
        break;
      } catch (cause) {
        error = damageIn(cause);
      }
      yield { part: 'state', bytes, damage: null };
      bytes = 0;
      expected = hashNow(reader, id, ledger.tip.stateRoot) ?? expected;
    }
    yield { part: 'state', bytes, damage: error === null ? null : { kind: 'store', error } };
    if (error !== null) return;
    bytes = 0;
  }
}

/** What the page above now says of a page; undefined if the way down to it does not fit, as between two blocks. */
function hashNow(reader: PageReader, id: PageId, root: Hash): Hash | undefined {
  let hash: Hash | undefined = root;
  try {
    for (let depth = 0; depth < id.length && hash !== undefined; depth++) {
      const next = id.slice(0, depth + 1);
      hash = pageContent(reader, id.slice(0, depth), hash).pages.find((page) => page.id === next)?.hash;
    }
    return hash;
  } catch (error) {
    damageIn(error);
    return undefined;
  }
}

/** @returns bytes read @throws {LedgerError} code `LEDGER_DAMAGED` */
async function checkLeaf(store: Store, { key, valueHash }: { readonly key: Uint8Array; readonly valueHash: Hash }): Promise<number> {
  const value = store.get(stateValueKey(key));
  if (value !== undefined) {
    if (bytesEqual(stateValueHash(value), valueHash)) return STEP_BYTES + value.length;
    throw LedgerError.damaged('a state value is not the one in the tree', { fields: { key: toHex(stateValueKey(key)) } });
  }
  // Latest records have no value of their own.
  const range = { gte: recordKeyKey(key, 0), lt: recordKeyKey(key, Number.MAX_SAFE_INTEGER), limit: 1 };
  if ((await store.scan(range)).length > 0) return STEP_BYTES;
  throw LedgerError.damaged('a value of the state is missing', { fields: { key: toHex(stateValueKey(key)) } });
}

async function* scrubBlocks({ ledger, store }: Subject): AsyncGenerator<ScrubStep, void> {
  const { tip } = ledger;
  let expected: Hash | undefined = tip.blockHash;
  for (let { height } = tip; height >= ledger.firstHeight; height--) {
    const listed: Hash | undefined = readable(() => store.get(heightKey(height)));
    const hash: Hash | undefined = expected ?? listed;
    if (hash === undefined || listed === undefined || !bytesEqual(hash, listed)) {
      // Which block a height has is a matter of the index; it is as unsure as everything else that was written with it.
      const error = LedgerError.damaged('the index of blocks does not follow their hashes', { fields: { height } });
      yield { part: 'blocks', bytes: STEP_BYTES, damage: { kind: 'store', error } };
      return;
    }
    const bytes = readable(() => store.get(blockKey(hash)));
    const decoded = bytes && Block.decode(bytes);
    const block: Block | undefined = decoded?.ok && bytesEqual(decoded.value.hash, hash) ? decoded.value : undefined;
    // Pruning may take it meanwhile.
    const damage = block === undefined && height >= ledger.firstHeight ? missing('block', hash, height) : null;
    yield { part: 'blocks', bytes: STEP_BYTES + (bytes?.length ?? 0), damage };
    for (const bodyHash of block?.bodyHashes ?? []) yield checkBody({ ledger, store }, bodyHash, height);
    expected = block?.header.parentHash;
  }
}

function checkBody({ ledger, store }: Subject, hash: Hash, height: number): ScrubStep {
  const bytes = readable(() => store.get(bodyKey(hash)));
  const read = bytes && ledger.read(bytes);
  const isFitting = read?.ok === true && bytesEqual(read.value.bodyHash, hash);
  const damage = isFitting || height < ledger.firstHeight ? null : missing('body', hash, height);
  return { part: 'blocks', bytes: STEP_BYTES + (bytes?.length ?? 0), damage };
}

function missing(kind: 'block' | 'body', hash: Hash, height: number): Damage {
  const what = kind === 'block' ? 'a block' : 'a transaction of a block';
  return {
    kind,
    hash,
    error: LedgerError.damaged(`${what} is missing or is another one`, { fields: { height, [`${kind}Hash`]: toHex(hash) } }),
  };
}

/** Values that nothing above reads: statuses, tiles, runs and keys of records, links, and what is this node's own. */
async function* scrubChecksums({ store }: Subject): AsyncGenerator<ScrubStep, void> {
  for (const { gte, lt } of unhashedRanges()) {
    let from = gte;
    for (;;) {
      const range: StoreRange = { gte: from, lt, limit: PAGE };
      const found = await store.scan(range).catch(damageIn);
      if (!Array.isArray(found)) {
        yield { part: 'checksums', bytes: STEP_BYTES, damage: { kind: 'store', error: found } };
        return;
      }
      const bytes = found.reduce((sum, { key, value }) => sum + key.length + value.length, STEP_BYTES);
      yield { part: 'checksums', bytes, damage: null };
      const last = found.at(-1);
      if (last === undefined || found.length < PAGE) break;
      from = Uint8Array.of(...last.key, 0);
    }
  }
}

/** The damage that an error tells of; whatever else it is, is thrown. */
function damageIn(error: unknown): NacreError {
  const damage = storeDamage(error);
  if (damage === null) throw error;
  return damage;
}

function readable(read: () => Uint8Array | undefined): Uint8Array | undefined {
  try {
    return read();
  } catch (error) {
    damageIn(error);
    return undefined;
  }
}
