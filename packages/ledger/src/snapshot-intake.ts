import { assert, bytesEqual, fail, fromUtf8, type Hash, keyOf, ok, type Refusal, type Result, toHex, type Verifier } from '@nacre/base';
import type { Certificate } from '@nacre/consensus';
import { frontierTiles, leafHash, logRoot, logRootAt, STATE_KEY_BYTES, type Tile } from '@nacre/crypto';
import { advanceCheckpoint } from './advance-checkpoint.ts';
import { type Checkpoint, genesisCheckpoint } from './checkpoint.ts';
import type { EpochLink } from './epoch-link.ts';
import type { Genesis } from './genesis.ts';
import { blockHash, decodeHeader, type Header } from './header.ts';
import { lightUpdateCodec } from './light-update.ts';
import { decodeState } from './overlay.ts';
import { parametersIn } from './parameter-stages.ts';
import { PARAMETERS } from './set-kinds.ts';
import {
  HISTORY_PART,
  historyPartCodec,
  ID_BYTES,
  idsPart,
  idsPartCodec,
  linksPart,
  logsPart,
  logsPartCodec,
  type PartName,
  type SnapshotManifest,
  statePart,
  statePartCodec,
} from './snapshot-part.ts';
import { serviceNameOf, type VerifiedState, verifyStatePart } from './snapshot-state.ts';
import { RECORD_LOG, type RecordLog } from './state-kinds.ts';
import { bodyHashOf } from './transaction.ts';

const HASH_BYTES = ID_BYTES / 2;
const KEY_DIGITS = 2 * STATE_KEY_BYTES;
const STATE_PREFIX = statePart('');

/** A block inside the validity window of a snapshot's, of which the ids are certain. */
export interface IncludedBlock {
  readonly header: Header;
  readonly hash: Hash;
  readonly txIds: readonly Hash[];
  readonly ids: Uint8Array;
}

/** What a part says, once it is certain. */
export type PartContents =
  | { readonly kind: 'links'; readonly links: readonly EpochLink[] }
  | { readonly kind: 'history'; readonly tiles: readonly Tile[] }
  | ({ readonly kind: 'state' } & VerifiedState)
  | { readonly kind: 'logs'; readonly logs: readonly { readonly service: string; readonly tiles: readonly Tile[] }[] }
  | { readonly kind: 'ids'; readonly blocks: readonly IncludedBlock[] };

/** Where a snapshot stands in the chain. */
export interface SnapshotAnchor {
  readonly header: Header;
  readonly blockHash: Hash;
  /** As few commits as decide it. */
  readonly certificate: Certificate;
}

export interface IntakeDependencies {
  readonly genesis: Genesis;
  readonly verifier: Verifier;
  /** A part that was taken. */
  readonly read: (name: PartName) => Uint8Array | undefined;
}

/**
 * Takes the parts of a snapshot from wherever, trusting the genesis alone: links lead to a block that was decided, its header to the state and
 * its pages, those to values, those to record logs, and hashes of parents back to the ids that may not come again. Every part is checked by itself
 * when it comes, so that whoever gave a false one is known.
 */
export class SnapshotIntake {
  readonly manifest: SnapshotManifest;
  readonly #dependencies: IntakeDependencies;
  #checkpoint: Checkpoint;
  #anchor: SnapshotAnchor | null = null;
  /** Parts that can be taken now, with what is known of them. */
  readonly #wanted = new Map<PartName, Hash | null>();
  /** Places of the state that hold entries. */
  readonly #leaves = new Set<string>();
  readonly #services = new Set<string>();
  /** Of `#services`, those whose log has come. */
  readonly #logged = new Set<string>();
  /** The part of the state read last: neighbours follow one another. */
  #lastRead: { readonly place: string; readonly values: ReadonlyMap<string, Uint8Array> } | null = null;
  /** State parts that are known and not taken yet. */
  #stateOpen = 0;
  #idsHash: Hash | null = null;
  #idsEnded = false;
  #taken = 0;

  constructor(manifest: SnapshotManifest, dependencies: IntakeDependencies) {
    this.manifest = manifest;
    this.#dependencies = dependencies;
    this.#checkpoint = genesisCheckpoint(dependencies.genesis);
    this.#wanted.set(linksPart(0), null);
  }

  /** Parts that can be taken now, in the order in which they became known. */
  wanted(): Iterable<PartName> {
    return this.#wanted.keys();
  }

  get isComplete(): boolean {
    return this.#wanted.size === 0;
  }

  /** How many parts were taken. */
  get taken(): number {
    return this.#taken;
  }

  /** The block whose state this is; null until its links are here. */
  get anchor(): SnapshotAnchor | null {
    return this.#anchor;
  }

  /**
   * Takes one of the wanted parts.
   *
   * @returns what it says; or code `SNAPSHOT_PART` and those of `advanceCheckpoint`, for whoever gave it. `SNAPSHOT_LOGS` condemns the whole snapshot
   */
  async take(name: PartName, bytes: Uint8Array): Promise<Result<PartContents, Refusal>> {
    const hash = this.#wanted.get(name);
    assert(hash !== undefined, 'only what is wanted is taken');
    const taken = await this.#verify(name, hash, bytes);
    if (!taken.ok) return taken;
    this.#wanted.delete(name);
    this.#taken++;
    return taken;
  }

  /**
   * After all parts of the state and before anything of it is used: whether every log that the state has is among the parts of logs. Whoever left one
   * out made the whole of the manifest.
   *
   * @returns code `SNAPSHOT_LOGS`
   */
  checkLogs(): Result<void, Refusal> {
    assert(this.isComplete, 'logs are complete when all else is');
    for (const service of this.#services) {
      if (!this.#logged.has(service) && this.#value(RECORD_LOG.stateKey(service)) !== undefined)
        return fail({ code: 'SNAPSHOT_LOGS', service });
    }
    return ok(undefined);
  }

  /** State keys of the record logs, each by `keyOf`: entries of the same length that are none are latest records. */
  recordLogKeys(): Set<string> {
    return new Set(Array.from(this.#logged, (service) => keyOf(RECORD_LOG.stateKey(service))));
  }

  async #verify(name: PartName, hash: Hash | null, bytes: Uint8Array): Promise<Result<PartContents, Refusal>> {
    if (name.startsWith(STATE_PREFIX)) return this.#takeState(name, hash as Hash, bytes);
    if (name === HISTORY_PART) return this.#takeHistory(bytes);
    const index = Number(name.slice(name.indexOf('/') + 1));
    if (name === linksPart(index)) return this.#takeLinks(index, bytes);
    return name === logsPart(index) ? this.#takeLogs(name, bytes) : this.#takeIds(index, bytes);
  }

  async #takeLinks(index: number, bytes: Uint8Array): Promise<Result<PartContents, Refusal>> {
    const name = linksPart(index);
    const { genesis, verifier } = this.#dependencies;
    const advanced = await advanceCheckpoint(this.#checkpoint, bytes, { genesis, verifier });
    if (!advanced.ok) return advanced;
    const update = lightUpdateCodec.decode(bytes);
    assert(update.ok, 'what has taken a checkpoint on decodes');
    const { links, head } = update.value;
    const isLast = index === this.manifest.links - 1;
    if (isLast !== (head !== null) || (head !== null && head.header.height !== this.manifest.height) || (!isLast && links.length === 0))
      return refuse(name, 'not what leads to the block');
    this.#checkpoint = advanced.value;
    if (head === null) {
      this.#wanted.set(linksPart(index + 1), null);
    } else {
      const { header, certificate } = head;
      this.#anchor = { header, certificate, blockHash: advanced.value.blockHash };
      this.#idsHash = advanced.value.blockHash;
      this.#wanted.set(STATE_PREFIX, header.stateRoot);
      this.#stateOpen = 1;
      this.#wanted.set(HISTORY_PART, null);
    }
    return ok({ kind: 'links', links });
  }

  #takeHistory(bytes: Uint8Array): Result<PartContents, Refusal> {
    const part = historyPartCodec.decode(bytes);
    if (!part.ok) return part;
    const { header } = this.#anchor as SnapshotAnchor;
    const tiles = verifiedTiles({ recordCount: header.height - 1, logRoot: header.historyRoot }, part.value.frontier);
    return tiles === null ? refuse(HISTORY_PART, 'not that of the header') : ok({ kind: 'history', tiles });
  }

  #takeState(name: PartName, hash: Hash, bytes: Uint8Array): Result<PartContents, Refusal> {
    const place = name.slice(STATE_PREFIX.length);
    const part = verifyStatePart(place, hash, bytes);
    if (!part.ok) return part;
    const { values, below } = part.value;
    for (const { name: next, hash: expected } of below) this.#wanted.set(next, expected);
    this.#stateOpen += below.length - 1;
    if (values.length > 0) this.#leaves.add(place);
    for (const { key, value } of values) {
      const service = serviceNameOf(key, value);
      if (service !== null) this.#services.add(service);
    }
    // Logs and ids are judged by what the state says.
    if (this.#stateOpen === 0) {
      if (this.manifest.logs > 0) this.#wanted.set(logsPart(0), null);
      this.#wanted.set(idsPart(0), null);
    }
    return ok({ kind: 'state', ...part.value });
  }

  #takeLogs(name: PartName, bytes: Uint8Array): Result<PartContents, Refusal> {
    const part = logsPartCodec.decode(bytes);
    if (!part.ok) return part;
    const logs: { service: string; tiles: readonly Tile[] }[] = [];
    for (const { service: text, frontier } of part.value.logs) {
      const service = fromUtf8(text);
      if (service === undefined || !this.#services.has(service)) return refuse(name, 'a service that the state does not have');
      const value = this.#value(RECORD_LOG.stateKey(service));
      if (value === undefined) return refuse(name, 'a service without records');
      const tiles = verifiedTiles(decodeState(RECORD_LOG, value), frontier);
      if (tiles === null) return refuse(name, 'not the log that the state has');
      logs.push({ service, tiles });
    }
    for (const { service } of logs) this.#logged.add(service);
    const next = Number(name.slice(name.indexOf('/') + 1)) + 1;
    if (next < this.manifest.logs) this.#wanted.set(logsPart(next), null);
    return ok({ kind: 'logs', logs });
  }

  #takeIds(index: number, bytes: Uint8Array): Result<PartContents, Refusal> {
    const name = idsPart(index);
    const part = idsPartCodec.decode(bytes);
    if (!part.ok) return part;
    const { header: top } = this.#anchor as SnapshotAnchor;
    const sinceMs = top.timeMs - this.#validityWindowMs();
    const blocks: IncludedBlock[] = [];
    let expected = this.#idsHash as Hash;
    let ended = false;
    for (const { header: encoded, ids } of part.value.blocks) {
      const block: IncludedBlock | null = ended ? null : includedBlock(encoded, ids, expected);
      if (block === null) return refuse(name, 'not the blocks that lead to this one');
      blocks.push(block);
      expected = block.header.parentHash;
      ended = block.header.height === 1 || block.header.timeMs <= sinceMs;
    }
    if (blocks.length === 0 || ended !== (index === this.manifest.ids - 1)) return refuse(name, 'not all that may come again');
    this.#idsHash = expected;
    this.#idsEnded = ended;
    if (!ended) this.#wanted.set(idsPart(index + 1), null);
    return ok({ kind: 'ids', blocks });
  }

  #validityWindowMs(): number {
    const value = this.#value(PARAMETERS.stateKey(null));
    assert(value !== undefined && !this.#idsEnded, 'the state has parameters, and ids come after it');
    return parametersIn(decodeState(PARAMETERS, value), 'inForce').validityWindowMs;
  }

  /** A value of the state, out of the parts that were taken. */
  #value(key: Hash): Uint8Array | undefined {
    const digits = toHex(key);
    let place = '';
    while (!this.#leaves.has(place)) {
      if (place.length === digits.length) return undefined;
      place = digits.slice(0, place.length + 1);
    }
    let part = this.#lastRead;
    if (part === null || part.place !== place) {
      const bytes = this.#dependencies.read(statePart(place));
      assert(bytes !== undefined, 'what was taken is kept');
      part = { place, values: valuesOf(place, bytes) };
      this.#lastRead = part;
    }
    // A value that is too long to stand among others has a place of its own, below.
    return part.values.get(digits) ?? (this.#leaves.has(digits) ? this.#dependencies.read(statePart(digits)) : undefined);
  }
}

/** The tiles that a frontier holds if they are those of the log, else null. */
function verifiedTiles({ recordCount, logRoot: root }: RecordLog, frontier: Uint8Array): readonly Tile[] | null {
  const tiles = frontierTiles(recordCount, frontier);
  if (tiles === undefined) return null;
  const readTile = (level: number, index: number) => tiles.find((tile) => tile.level === level && tile.index === index)?.bytes;
  return bytesEqual(logRootAt({ size: recordCount, readTile }), root) ? tiles : null;
}

/** The block of which a header and ids are given, if it has the hash; else null. */
function includedBlock(encoded: Uint8Array, ids: Uint8Array, hash: Hash): IncludedBlock | null {
  const header = decodeHeader(encoded);
  if (!header.ok || !bytesEqual(blockHash(header.value), hash) || ids.length % ID_BYTES !== 0) return null;
  const txIds: Hash[] = [];
  const leaves: Hash[] = [];
  for (let at = 0; at < ids.length; at += ID_BYTES) {
    const txId = ids.slice(at, at + HASH_BYTES);
    txIds.push(txId);
    leaves.push(leafHash(bodyHashOf(txId, ids.subarray(at + HASH_BYTES, at + ID_BYTES))));
  }
  if (!bytesEqual(logRoot(leaves), header.value.transactionsRoot)) return null;
  return { header: header.value, hash, txIds, ids };
}

function valuesOf(place: string, bytes: Uint8Array): Map<string, Uint8Array> {
  const part = place.length === KEY_DIGITS ? null : statePartCodec.decode(bytes);
  if (part === null) return new Map([[place, bytes]]);
  assert(part.ok && part.value.kind === 'entries', 'what was taken as entries decodes as entries');
  const values = new Map<string, Uint8Array>();
  for (const { key, content } of part.value.entries) if ('value' in content) values.set(toHex(key), content.value);
  return values;
}

function refuse(part: PartName, problem: string): Result<never, Refusal> {
  return fail({ code: 'SNAPSHOT_PART', part, problem });
}
