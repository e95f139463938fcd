/** Every kind of fault that is counted, by what it did rather than by what was tried: a fault counts when it took effect. */
export const FAULT_KINDS = [
  /** A frame that would have arrived was dropped. */
  'frameLost',
  /** A second copy of a frame arrived. */
  'frameDuplicated',
  /** A frame arrived after one that was sent later on the same connection. */
  'frameReordered',
  /** A frame took several times as long as the slowest ordinary one. */
  'frameDelayed',
  /** A connection between two live processes ended. */
  'connectionCut',
  /** A request was pending when its connection ended, or its time was over. */
  'requestFailed',
  /** One process ended without notice. */
  'crash',
  /** All processes ended at the same moment. */
  'crashOfAll',
  /** A crash took back batches of the store that had completed without being synced. */
  'storeRolledBack',
  /** A crash took back a write of the store that had been issued and had not completed, a synced one included. */
  'storeWriteLost',
  /** A write of the store became durable although the process never learned it. */
  'storeWriteUnacknowledged',
  /** A crash took back bytes appended to a file. */
  'fileCut',
  /** A crash left zeros or garbage at the end of a file. */
  'fileTorn',
  /** A crash left a file as it was before a replacement that had not completed. */
  'replaceLost',
  /** A partition began that forbade some pair of running nodes to talk. */
  'partition',
  /** A frame was sent the way that a partition forbids. */
  'framePartitioned',
  /** A wall clock jumped. */
  'clockStepped',
  /** A vote journal that a disk had damaged or lost was in doubt at the next start. */
  'journalDamaged',
  /** A disk came back empty. */
  'diskLost',
  /** A process ended, or did not start, with a typed error because its store could not be read; it began anew with an empty one. */
  'storeRefused',
  /** A value was spoilt in the store of a running process. */
  'storeSpoilt',
  /** A spoilt value was written anew while its process ran on. */
  'storeMended',
  /** A node came to the network with nothing but the genesis. */
  'joined',
  /** A node took up a snapshot in place of blocks. */
  'leapt',
  /** A process ended without notice while it caught up with the others. */
  'crashInCatchUp',
  /** The same while it fetched a snapshot, or wrote it over its state. */
  'crashInSnapshot',
  /** A node that pruned removed blocks. */
  'pruned',
  /** A partition was named by someone on one of its sides, with all who are on it. */
  'partitionNamed',
  /** A Byzantine node did what it is there for. */
  'byzantineAct',
  /** An epoch ended, as the chain tells it. */
  'epochEnded',
  /** It was followed by another committee. */
  'committeeChanged',
  /** The network has proven an offence of a validator. */
  'offenceProven',
  /** It has decided that a validator has another key. */
  'keyRotated',
  /** A validator has cast its last vote with a key and erased it. */
  'keyErased',
  /** A signer in a process of its own lost its power. */
  'signerCrash',
  /** The connection between a node and its signer ended. */
  'signerCut',
  /** A signer signed, or told what it had signed, and the connection had ended by the time the answer came. */
  'answerUnheard',
  /** A client has proven an offence that was committed with a key before the present one. */
  'oldOffenceProven',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];
export type FaultCounts = Readonly<Record<FaultKind, number>>;

/** Counts the faults of one run. */
export class FaultTally {
  readonly #counts = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>;

  add(kind: FaultKind): void {
    this.#counts[kind]++;
  }

  counts(): FaultCounts {
    return { ...this.#counts };
  }
}
