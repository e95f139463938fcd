import { bytesEqual, type Hash, type NacreError, type Store, type StoreRange, toHex } from '@nacre/base';
import { decodePage, type PageId, type PageReader, pageContent, pageKey } from '@nacre/crypto';
import { Block } from './block.ts';
import { LedgerError } from './errors.ts';
import { blockKey, bodyKey, heightKey, recordKeyKey, statePageKey, stateValueKey, unhashedRanges } from './keys.ts';
import type { Ledger } from './ledger.ts';
import { stateValueHash } from './state-kinds.ts';
import { type Damage, storeDamage } from './store-damage.ts';

/** Entries read at once where only checksums are compared; parts of snapshots have 256 KiB each. */
const PAGE = 16;
/** A store asks for as much room as its entry: what a step without one counts for, in bytes. */
const STEP_BYTES = 64;
/** And what looking for the first entry of a range counts for, which takes as long as reading so much. */
const SEARCH_BYTES = 512;

export interface ScrubStep {
  readonly part: 'state' | 'blocks' | 'checksums';
  /** About how much was read, in bytes. */
  readonly bytes: number;
  readonly damage: Damage | null;
}

interface Subject {
  readonly ledger: Pick<Ledger, 'tip' | 'applying' | 'read' | 'firstHeight'>;
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
 * Blocks that are applied change the tree on the way. So each place is looked at in between, at once, and where it does not fit what the page
 * above it said earlier, it is compared with what the tree says now.
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
  const visit = (id: PageId, hash: Hash) => {
    const content = pageContent(reader, id, hash);
    const valueless = content.leaves.filter((leaf) => {
      const value = store.get(stateValueKey(leaf.key));
      bytes += STEP_BYTES + (value?.length ?? 0);
      if (value !== undefined && !bytesEqual(stateValueHash(value), leaf.valueHash)) throw unfitting(leaf.key);
      if (value === undefined) bytes += SEARCH_BYTES;
      return value === undefined;
    });
    return { pages: content.pages, valueless };
  };
  const stack: { readonly id: PageId; readonly hash: Hash }[] = [{ id: '', hash: ledger.tip.stateRoot }];
  for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
    const { id, hash } = place;
    while (ledger.applying !== null) await ledger.applying;
    // Nothing is awaited from here on until the place has been looked at.
    let found: ReturnType<typeof visit> | NacreError | null;
    try {
      found = visitNow(id, hash, { visit, reader, root: ledger.tip.stateRoot });
    } catch (error) {
      found = damageIn(error);
    }
    const error = found instanceof Error ? found : await valueMissing(store, found?.valueless ?? []);
    yield { part: 'state', bytes, damage: error === null ? null : { kind: 'store', error } };
    if (error !== null) return;
    bytes = 0;
    if (found !== null && !(found instanceof Error)) stack.push(...found.pages);
  }
}

interface Tree<Content> {
  readonly visit: (id: PageId, hash: Hash) => Content;
  readonly reader: PageReader;
  readonly root: Hash;
}

/** @returns null if nothing stands at the place any more @throws what tells of damage, if it does not fit the tree of now either */
function visitNow<Content>(id: PageId, hash: Hash, { visit, reader, root }: Tree<Content>): Content | null {
  try {
    return visit(id, hash);
  } catch (error) {
    const now = hashAt(reader, id, root);
    if (now === undefined) return null;
    if (bytesEqual(now, hash)) throw error;
    return visit(id, now);
  }
}

/** What the page above says of a page, from the root on; undefined if there is none. @throws what tells of damage on the way */
function hashAt(reader: PageReader, id: PageId, root: Hash): Hash | undefined {
  let hash: Hash | undefined = root;
  for (let depth = 0; depth < id.length && hash !== undefined; depth++) {
    const next = id.slice(0, depth + 1);
    hash = pageContent(reader, id.slice(0, depth), hash).pages.find((page) => page.id === next)?.hash;
  }
  return hash;
}

function unfitting(stateKey: Uint8Array): LedgerError {
  return LedgerError.damaged('a state value is not the one in the tree', { fields: { key: toHex(stateValueKey(stateKey)) } });
}

/** Latest records have no value of their own, and are found by their key, which is never removed. Everything else has one. */
async function valueMissing(store: Store, valueless: readonly { readonly key: Uint8Array }[]): Promise<LedgerError | null> {
  for (const { key } of valueless) {
    const range = { gte: recordKeyKey(key, 0), lt: recordKeyKey(key, Number.MAX_SAFE_INTEGER), limit: 1 };
    if ((await store.scan(range)).length > 0) continue;
    return LedgerError.damaged('a value of the state is missing', { fields: { key: toHex(stateValueKey(key)) } });
  }
  return null;
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
