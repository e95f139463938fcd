import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { bytesEqual, concatBytes, fromUtf8, type Log, type Refusal, utf8 } from '@nacre/base';
import { createVerifier } from '@nacre/crypto/native';
import {
  type Genesis,
  isPartName,
  Ledger,
  PART_NAME_BYTES_MAX,
  SNAPSHOT_PART_BYTES_MAX,
  type SnapshotManifest,
  Snapshots,
  snapshotManifestCodec,
  takeSnapshot,
} from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { NodeError } from './node-error.ts';
import { STORE_FORMAT_VERSION } from './store-format.ts';

/** How a file of a snapshot begins, with the version of its form. */
const MAGIC = utf8('nacre snapshot 1\n');
/** The first frame's name; all others have the names of parts. */
const MANIFEST = 'manifest';
/** Lengths of a frame's name and content; behind both stands a CRC-32 over them, so that a spoilt copy is not taken for a lie. */
const FRAME_HEAD_BYTES = 2 + 4;
const CHECKSUM_BYTES = 4;

const quiet = () => undefined;
const LOG: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

interface StoppedNode {
  readonly storePath: string;
  readonly genesis: Genesis;
}

/** Where a snapshot stands, and how much it is. */
export type SnapshotSummary = Pick<SnapshotManifest, 'height' | 'bytes'> & { readonly parts: number };

/**
 * Writes a snapshot of a stopped node's tip to a file; the newest one that the node has made, where its tip is none that a snapshot can begin with.
 *
 * @throws {NodeError} codes `SNAPSHOT_NONE`, `FILE_INACCESSIBLE`, and what opening a store throws, such as `STORE_LOCKED` while the node runs
 */
export async function saveSnapshot(path: string, { storePath, genesis }: StoppedNode): Promise<SnapshotSummary> {
  return withLedger({ storePath, genesis }, async (ledger, snapshots) => {
    const taken = await takeSnapshot(ledger, snapshots, { keep: 2, pace: () => Promise.resolve() });
    const manifest = taken.ok ? taken.value : (await snapshots.list())[0];
    if (manifest === undefined) {
      throw new NodeError('SNAPSHOT_NONE', 'the node has no block that a snapshot can begin with', {
        fields: { height: ledger.tip.height },
        hint: 'Run the node until it has taken part in deciding one more block.',
      });
    }
    const file = await openFile(`${path}.new`, 'wx');
    try {
      await file.write(MAGIC);
      await writeFrame(file, MANIFEST, snapshotManifestCodec.encode(manifest));
      const intake = snapshots.reread(manifest);
      for (let names = [...intake.wanted()]; names.length > 0; names = [...intake.wanted()]) {
        for (const name of names) {
          const bytes = snapshots.part(manifest.height, name);
          const known = bytes === undefined ? { ok: false } : await intake.take(name, bytes);
          if (bytes === undefined || !known.ok) throw spoilt(path, `the part ${name} of the node's own snapshot is not what was decided`);
          await writeFrame(file, name, bytes);
        }
      }
      await file.sync();
      await file.close();
      await rename(`${path}.new`, path);
      return { height: manifest.height, bytes: manifest.bytes, parts: intake.taken };
    } catch (error) {
      await file.close().catch(quiet);
      await rm(`${path}.new`, { force: true });
      throw error;
    }
  });
}

/**
 * Takes a stopped node on to the block of a snapshot, of which every part is verified from the genesis on.
 *
 * @throws {NodeError} codes `SNAPSHOT_INVALID`, `SNAPSHOT_OLD`, `FILE_INACCESSIBLE`, and what opening a store throws
 */
export async function restoreSnapshot(path: string, { storePath, genesis }: StoppedNode): Promise<SnapshotSummary> {
  const file = await openFile(path, 'r');
  try {
    const magic = await readBytes(file, MAGIC.length, path);
    if (!bytesEqual(magic, MAGIC)) throw spoilt(path, 'it is no snapshot, or one of a later version');
    const first = await readFrame(file, path);
    const manifest = first?.name === MANIFEST ? snapshotManifestCodec.decode(first.bytes) : undefined;
    if (!manifest?.ok) throw spoilt(path, 'its manifest cannot be read');
    return await withLedger({ storePath, genesis }, (ledger, snapshots) => restore(manifest.value, { file, path, ledger, snapshots }));
  } finally {
    await file.close();
  }
}

async function restore(
  manifest: SnapshotManifest,
  { file, path, ledger, snapshots }: { file: FileHandle; path: string; ledger: Ledger; snapshots: Snapshots },
): Promise<SnapshotSummary> {
  const { height } = manifest;
  if (height <= ledger.tip.height) {
    throw new NodeError('SNAPSHOT_OLD', `the snapshot is of block ${height}, the node is at ${ledger.tip.height}`, {
      fields: { height, tipHeight: ledger.tip.height },
      hint: 'Start the node: it is further than the snapshot would take it.',
    });
  }
  const intake = await snapshots.begin(manifest);
  try {
    for (let frame = await readFrame(file, path); frame !== undefined; frame = await readFrame(file, path)) {
      const { name, bytes } = frame;
      if (![...intake.wanted()].includes(name)) throw spoilt(path, `the part ${name} is out of place`);
      const taken = await snapshots.take(intake, [{ name, bytes }]);
      if (!taken.ok) throw spoilt(path, `the part ${name} is not what was decided`, taken.error);
    }
    if (!intake.isComplete) throw spoilt(path, 'it ends too early');
    const complete = intake.checkLogs();
    if (!complete.ok) throw spoilt(path, 'a part is left out', complete.error);
  } catch (error) {
    await snapshots.drop();
    throw error;
  }
  await ledger.adopt(() => snapshots.adopt(intake));
  return { height, bytes: manifest.bytes, parts: intake.taken };
}

async function withLedger<Result>(
  { storePath, genesis }: StoppedNode,
  use: (ledger: Ledger, snapshots: Snapshots) => Promise<Result>,
): Promise<Result> {
  const store = await LevelStore.open(storePath, { formatVersion: STORE_FORMAT_VERSION, genesisHash: genesis.hash });
  try {
    const dependencies = { genesis, store, verifier: createVerifier(genesis.scheme), log: LOG };
    return await use(await Ledger.open(dependencies), new Snapshots(dependencies));
  } finally {
    await store.close();
  }
}

async function writeFrame(file: FileHandle, name: string, bytes: Uint8Array): Promise<void> {
  const text = utf8(name);
  const head = new Uint8Array(FRAME_HEAD_BYTES);
  const view = new DataView(head.buffer);
  view.setUint16(0, text.length);
  view.setUint32(2, bytes.length);
  const checksum = new Uint8Array(CHECKSUM_BYTES);
  new DataView(checksum.buffer).setUint32(0, crc32(bytes, crc32(text)));
  await file.write(concatBytes(head, text, bytes, checksum));
}

/** @returns undefined at the end of the file @throws {NodeError} code `SNAPSHOT_INVALID` */
async function readFrame(file: FileHandle, path: string): Promise<{ readonly name: string; readonly bytes: Uint8Array } | undefined> {
  const head = await readUpTo(file, FRAME_HEAD_BYTES);
  if (head.length === 0) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const nameBytes = head.length < FRAME_HEAD_BYTES ? 0 : view.getUint16(0);
  const length = head.length < FRAME_HEAD_BYTES ? 0 : view.getUint32(2);
  if (nameBytes === 0 || nameBytes > PART_NAME_BYTES_MAX || length > SNAPSHOT_PART_BYTES_MAX) throw spoilt(path, 'a part of it has no end');
  const text = await readBytes(file, nameBytes, path);
  const bytes = await readBytes(file, length, path);
  const checksum = await readBytes(file, CHECKSUM_BYTES, path);
  const name = fromUtf8(text);
  const isWhole = new DataView(checksum.buffer, checksum.byteOffset).getUint32(0) === crc32(bytes, crc32(text));
  if (name === undefined || !isWhole || (name !== MANIFEST && !isPartName(name))) throw spoilt(path, 'a part of it is spoilt');
  return { name, bytes };
}

async function readBytes(file: FileHandle, length: number, path: string): Promise<Uint8Array> {
  const bytes = await readUpTo(file, length);
  if (bytes.length < length) throw spoilt(path, 'it ends too early');
  return bytes;
}

async function readUpTo(file: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

async function openFile(path: string, flags: string): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (cause) {
    throw new NodeError('FILE_INACCESSIBLE', `cannot open ${path}: ${(cause as Error).message}`, { cause, fields: { path } });
  }
}

function spoilt(path: string, problem: string, refusal?: Refusal): NodeError {
  return new NodeError('SNAPSHOT_INVALID', `${path} cannot be used: ${problem}`, {
    fields: { path, ...(refusal === undefined ? {} : { refusal }) },
    hint: 'Have a node of the same network save another one. What the node held before is untouched.',
  });
}
