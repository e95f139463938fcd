import type { Refusal, Result, Store, Verifier } from '@nacre/base';
import { type Genesis, Ledger, type PartName, type SnapshotManifest, Snapshots, takeSnapshot } from '@nacre/ledger';
import { MemoryStore } from './memory-store.ts';
import { silentLog } from './test-chain.ts';

export interface SourceChain {
  readonly genesis: Genesis;
  readonly store: Store;
  readonly verifier: Verifier;
  readonly ledger: Ledger;
}

const noPace = () => Promise.resolve();

export function snapshotsOf(chain: SourceChain, store = chain.store): Snapshots {
  return new Snapshots({ genesis: chain.genesis, store, verifier: chain.verifier, log: silentLog });
}

/** Makes a snapshot of the chain's tip in its own store. */
export async function made(chain: SourceChain, keep = 2): Promise<SnapshotManifest> {
  const taken = await takeSnapshot(chain.ledger, snapshotsOf(chain), { keep, pace: noPace });
  if (!taken.ok) throw new Error(JSON.stringify(taken.error));
  return taken.value;
}

/** What stands between the one who has a snapshot and the one who takes it; undefined: it gives nothing. */
export type Carrier = (name: PartName, bytes: Uint8Array) => Uint8Array | undefined;

/** An empty node that takes a snapshot of another one. */
export class Newcomer {
  readonly store = new MemoryStore();
  readonly chain: SourceChain;
  readonly snapshots: Snapshots;

  constructor(chain: SourceChain) {
    this.chain = chain;
    this.snapshots = snapshotsOf(chain, this.store);
  }

  async open(): Promise<Ledger> {
    const { genesis, verifier } = this.chain;
    return Ledger.open({ genesis, store: this.store, verifier, log: silentLog });
  }

  /** Takes part after part. @returns the ledger that goes on from there, or why a part was refused */
  async take(manifest: SnapshotManifest, carry: Carrier = (_, bytes) => bytes): Promise<Result<Ledger, Refusal & { part?: PartName }>> {
    const ledger = await this.open();
    const source = snapshotsOf(this.chain);
    const intake = await this.snapshots.begin(manifest);
    await this.snapshots.resume(intake);
    while (!intake.isComplete) {
      for (const name of [...intake.wanted()]) {
        const bytes = source.part(manifest.height, name);
        const carried = bytes && carry(name, bytes);
        if (carried === undefined) return { ok: false, error: { code: 'NOT_GIVEN', part: name } };
        const taken = await this.snapshots.take(intake, [{ name, bytes: carried }]);
        if (!taken.ok) return { ok: false, error: { ...taken.error, part: name } };
      }
    }
    const complete = intake.checkLogs();
    if (!complete.ok) return complete;
    await ledger.adopt(() => this.snapshots.adopt(intake));
    return { ok: true, value: ledger };
  }
}
