import { assert, fail, type Log, ok, type Refusal, type Result, type Store, type StoreOperation, type Verifier } from '@nacre/base';
import { partOperations, tipOperations } from './adopt-snapshot.ts';
import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import {
  numberAtEnd,
  snapshotKey,
  snapshotPartHeight,
  snapshotPartKey,
  snapshotPartsFrom,
  snapshotsRange,
  snapshotTargetKey,
} from './keys.ts';
import { SnapshotIntake } from './snapshot-intake.ts';
import { type PartName, type SnapshotManifest, type SnapshotTarget, snapshotManifestCodec, snapshotTargetCodec } from './snapshot-part.ts';

/** Snapshots that are listed at most; more are never kept. */
const SNAPSHOTS_MAX = 16;
/** Parts deleted at once. */
const PARTS_PER_DELETE = 256;
/** Bytes of values after which what is taken over is handed to the store. */
const WRITE_BYTES = 1024 * 1024;

export interface NamedPart {
  readonly name: PartName;
  readonly bytes: Uint8Array;
}

export interface SnapshotsDependencies {
  readonly genesis: Genesis;
  readonly store: Store;
  readonly verifier: Verifier;
  readonly log: Log;
}

/** The snapshots in a node's store: whole ones for others, and the one that this node is taking up. Methods throw what the store throws. */
export class Snapshots {
  readonly #dependencies: SnapshotsDependencies;

  constructor(dependencies: SnapshotsDependencies) {
    this.#dependencies = dependencies;
  }

  /** Those that are whole, the newest first. */
  async list(): Promise<SnapshotManifest[]> {
    const entries = await this.#dependencies.store.scan({ ...snapshotsRange(), reverse: true, limit: SNAPSHOTS_MAX });
    return entries.flatMap(({ key }) => this.manifest(numberAtEnd(key)) ?? []);
  }

  /** Of a whole one. @throws {LedgerError} code `LEDGER_DAMAGED` */
  manifest(height: number): SnapshotManifest | undefined {
    const bytes = this.#dependencies.store.get(snapshotKey(height));
    if (bytes === undefined) return undefined;
    const decoded = snapshotManifestCodec.decode(bytes);
    if (!decoded.ok) throw LedgerError.damaged('the manifest of a snapshot does not decode', { fields: { height } });
    return decoded.value;
  }

  /** A part of one that is whole or being fetched. */
  part(height: number, name: PartName): Uint8Array | undefined {
    return this.#dependencies.store.get(snapshotPartKey(height, name));
  }

  /**
   * Stores parts, synced: they are too large for LevelDB to merge them again and again. Together, because a sync takes as long for one of them as for
   * many.
   */
  async putParts(height: number, parts: readonly NamedPart[]): Promise<void> {
    const operations = parts.map(({ name, bytes }): StoreOperation => ({ type: 'put', key: snapshotPartKey(height, name), value: bytes }));
    await this.#dependencies.store.write(operations, { sync: true });
  }

  /** Makes a snapshot whole, and deletes all but the `keep` newest ones, and parts of unfinished ones. */
  async finish(manifest: SnapshotManifest, { keep }: { readonly keep: number }): Promise<void> {
    const { store } = this.#dependencies;
    const value = snapshotManifestCodec.encode(manifest);
    await store.write([{ type: 'put', key: snapshotKey(manifest.height), value }], { sync: true });
    for (const { height } of (await this.list()).slice(keep)) {
      await store.write([{ type: 'delete', key: snapshotKey(height) }], { sync: false });
    }
    await this.sweep();
  }

  /** Deletes parts of snapshots that are neither whole nor being fetched. Not while one is being made. */
  async sweep(): Promise<void> {
    const { store } = this.#dependencies;
    const target = this.#target()?.manifest.height;
    for (let from = 0; ; ) {
      const [first] = await store.scan({ ...snapshotPartsFrom(from), limit: 1 });
      if (first === undefined) return;
      const height = snapshotPartHeight(first.key);
      if (height !== target && this.manifest(height) === undefined) await this.#deleteParts(height);
      from = height + 1;
    }
  }

  /** What to go on with after a restart: the snapshot that was being fetched. */
  get resumable(): SnapshotManifest | null {
    return this.#target()?.manifest ?? null;
  }

  /** Begins or resumes to take up a snapshot; parts that came before are taken again from the store by `resume`. Another one that was begun is dropped. */
  async begin(manifest: SnapshotManifest): Promise<SnapshotIntake> {
    await this.#setTarget({ manifest, isAdopting: false });
    await this.sweep();
    return this.#intake(manifest);
  }

  /** To go through the parts of a whole one again, in an order in which each can be verified. */
  reread(manifest: SnapshotManifest): SnapshotIntake {
    return this.#intake(manifest);
  }

  /** Takes what is in the store of the wanted parts, until only others are wanted. A part that is spoilt is wanted again. */
  async resume(intake: SnapshotIntake): Promise<void> {
    const { height } = intake.manifest;
    for (let progress = true; progress; ) {
      progress = false;
      for (const name of [...intake.wanted()]) {
        const bytes = this.part(height, name);
        if (bytes !== undefined && (await intake.take(name, bytes)).ok) progress = true;
      }
    }
  }

  /**
   * Takes wanted parts that a peer or a file gave, up to the first that is false. See `SnapshotIntake.take`.
   *
   * @param parts each of them wanted now, whatever the others say
   */
  async take(intake: SnapshotIntake, parts: readonly NamedPart[]): Promise<Result<void, Refusal>> {
    // Kept before they count, because what is taken later may look into them. A false one stays until the right one replaces it, and misleads nobody.
    await this.putParts(intake.manifest.height, parts);
    for (const { name, bytes } of parts) {
      const taken = await intake.take(name, bytes);
      if (!taken.ok) return taken;
    }
    return ok(undefined);
  }

  /** Forgets the snapshot that was begun. */
  async drop(): Promise<void> {
    await this.#dependencies.store.write([{ type: 'delete', key: snapshotTargetKey() }], { sync: true });
    await this.sweep();
  }

  /**
   * Writes a complete snapshot over the state. From its first write to its last, the store is nobody's: `Ledger.adopt` calls it, and `Ledger.open`
   * after a crash.
   */
  async adopt(intake: SnapshotIntake): Promise<void> {
    const { store, log } = this.#dependencies;
    const { manifest, anchor } = intake;
    assert(intake.isComplete && anchor !== null, 'a snapshot is taken over when all of it is here');
    await this.#setTarget({ manifest, isAdopting: true });
    const recordLogs = intake.recordLogKeys();
    const again = this.#intake(manifest);
    let operations: StoreOperation[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      await store.write(operations, { sync: false });
      operations = [];
      bytes = 0;
    };
    while (!again.isComplete) {
      const [name = ''] = again.wanted();
      const part = this.part(manifest.height, name);
      const taken = part === undefined ? fail({ code: 'SNAPSHOT_PART_MISSING' }) : await again.take(name, part);
      if (!taken.ok)
        throw LedgerError.damaged('a part of the snapshot that is taken over', { fields: { part: name, refusal: taken.error } });
      for (const operation of partOperations(taken.value, recordLogs)) {
        operations.push(operation);
        bytes += operation.type === 'put' ? operation.key.length + operation.value.length : 0;
        if (bytes >= WRITE_BYTES) await flush();
      }
    }
    await flush();
    await store.write(tipOperations(store, anchor, manifest), { sync: true });
    log.info({ height: manifest.height, parts: intake.taken }, 'took over a snapshot');
  }

  /** Goes on where a crash has interrupted `adopt`. */
  async finishAdoption(): Promise<void> {
    const target = this.#target();
    if (target === null || !target.isAdopting) return;
    const intake = this.#intake(target.manifest);
    await this.resume(intake);
    if (!intake.isComplete) throw LedgerError.damaged('the snapshot that was being taken over is no longer whole');
    await this.adopt(intake);
  }

  #intake(manifest: SnapshotManifest): SnapshotIntake {
    const { genesis, verifier } = this.#dependencies;
    return new SnapshotIntake(manifest, { genesis, verifier, read: (name) => this.part(manifest.height, name) });
  }

  #target(): SnapshotTarget | null {
    const bytes = this.#dependencies.store.get(snapshotTargetKey());
    if (bytes === undefined) return null;
    const decoded = snapshotTargetCodec.decode(bytes);
    if (!decoded.ok) throw LedgerError.damaged('the snapshot that was begun does not decode');
    return decoded.value;
  }

  async #setTarget(target: SnapshotTarget): Promise<void> {
    const value = snapshotTargetCodec.encode(target);
    await this.#dependencies.store.write([{ type: 'put', key: snapshotTargetKey(), value }], { sync: true });
  }

  async #deleteParts(height: number): Promise<void> {
    const { store } = this.#dependencies;
    const range = { gte: snapshotPartsFrom(height).gte, lt: snapshotPartsFrom(height + 1).gte, limit: PARTS_PER_DELETE };
    for (;;) {
      const entries = await store.scan(range);
      if (entries.length === 0) return;
      await store.write(
        entries.map(({ key }) => ({ type: 'delete', key })),
        { sync: false },
      );
    }
  }
}
