import type { Applied, Ledger, Tip } from '@nacre/ledger';
import { Replica, type ReplicaDependencies, type ReplicaOptions, type ReplicaStatus } from '@nacre/replica';

/** What a cluster needs of a replica. The real one fits; broken variants and tiny ones for tests fit as well. */
export interface ClusterReplica extends Pick<Replica, 'start' | 'stop' | 'finished' | 'submit' | 'transactionStatus' | 'storeDamaged'> {
  status(): Pick<ReplicaStatus, 'doubt' | 'peers' | 'snapshot'>;
  readonly sync: Pick<Replica['sync'], 'state' | 'onChange'>;
  readonly reach: Pick<Replica['reach'], 'sides'>;
  onDecided(listener: (block: Applied) => void): () => void;
  readonly ledger: { readonly tip: Pick<Tip, 'height' | 'blockHash' | 'timeMs' | 'stateRoot' | 'header' | 'certificate'> } & Pick<
    Ledger,
    | 'firstHeight'
    | 'records'
    | 'blockAt'
    | 'loadBlock'
    | 'propose'
    | 'prove'
    | 'epochOf'
    | 'nextEpoch'
    | 'committeeAt'
    | 'validatorSet'
    | 'account'
  >;
}

/** Starts a process: reads disk, resolves with what runs. */
export type OpenReplica = (options: ReplicaOptions, dependencies: ReplicaDependencies) => Promise<ClusterReplica>;

export const openReplica: OpenReplica = (options, dependencies) => Replica.open(options, dependencies);
