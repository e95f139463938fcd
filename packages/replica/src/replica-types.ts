import type {
  Address,
  Clock,
  Custody,
  Directory,
  Hash,
  Log,
  Random,
  Refusal,
  Signer,
  Store,
  StoreRange,
  Transport,
  Verifier,
} from '@nacre/base';
import type { Genesis, Retention } from '@nacre/ledger';
import type { ReplicaConfiguration } from './configuration.ts';
import type { SnapshotProgress } from './snapshot-sync.ts';
import type { ScrubOptions } from './store-care.ts';
import type { ValidatorKeys } from './validator-keys.ts';

export interface ValidatorIdentity {
  readonly address: Address;
  readonly signer: Signer;
  /** Where the key is in another process. */
  readonly custody?: Custody;
  /** Where there may be more than one, while it is rotated: the replica then keeps them up to date with the chain. `signer` signs with them. */
  readonly keys?: ValidatorKeys;
}

export interface ReplicaOptions {
  readonly genesis: Genesis;
  /** Null for a follower, which never votes. */
  readonly validator: ValidatorIdentity | null;
  /** Deviations from {@link LOCAL_CONFIGURATION}. */
  readonly configuration?: Partial<ReplicaConfiguration>;
  /** How the store is gone through for damage; without it, it is not. */
  readonly scrub?: ScrubOptions;
  /** How much of the chain is kept; without it, all. */
  readonly pruning?: Retention;
}

export interface ReplicaDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  /** Holds the vote journal; unused by followers. */
  readonly directory: Directory;
  readonly transport: Transport;
  /** Gives the room of what was deleted in these ranges back to the disk; without it, the store does so when it likes. */
  readonly reclaim?: (ranges: readonly Pick<StoreRange, 'gte' | 'lt'>[]) => Promise<void>;
  readonly verifier: Verifier;
  readonly log: Log;
}

export interface ReplicaStatus {
  /** Height of the last decided block applied here. */
  readonly height: number;
  readonly blockHash: Hash;
  readonly timeMs: number;
  readonly round: number;
  readonly mode: 'consensus' | 'syncing' | 'stopped';
  /** Whether this process may sign: acknowledged as the only instance of its key, and its journal not in doubt. */
  readonly voting: boolean;
  readonly doubt: Refusal | null;
  readonly pending: number;
  readonly pendingBytes: number;
  readonly peers: number;
  /** The snapshot that is being fetched; null while none is. */
  readonly snapshot: SnapshotProgress | null;
}
