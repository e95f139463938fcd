import { BEHAVIOUR_NAMES, type BehaviourName } from '../byzantine/behaviours.ts';

/** What a scenario is made of. Each part is drawn by the seed; what is left out does not happen. */
export interface Recipe {
  /** Frames are lost, doubled, delayed, overtaken; connections end. Calm: nothing of the kind, so that who hears whom follows from partitions alone. */
  readonly network?: 'light' | 'heavy' | 'calm';
  readonly crashes?: boolean;
  /** All nodes lose power together, again and again, on slow disks: what no disk was made to keep is gone, since nobody is left to ask for it. */
  readonly blackouts?: boolean;
  readonly partitions?: boolean;
  /** Clocks are off, drift and jump; one validator's by far more than honest clocks may differ. */
  readonly skew?: boolean;
  readonly damage?: boolean;
  readonly wideArea?: boolean;
  /** Long enough, on a chain that never rests, for journals to be rotated and for whoever was away to be hundreds of blocks behind. */
  readonly long?: boolean;
  /** Validators come, go, are weighed anew and held to account, in short epochs. */
  readonly changes?: boolean;
  /** Half of the validators and more have their keys in processes of their own, which crash and are cut off. */
  readonly signers?: boolean;
  /** Nodes make snapshots, and newcomers take them up or fetch blocks; pruned: few nodes or none have more blocks than the latest, and one was away meanwhile. */
  readonly stores?: 'whole' | 'pruned';
  /** What befalls nodes while they catch up, on disks of which one cannot be relied on. */
  readonly catchUp?: 'crashes' | 'damage';
  /** Groups that split and merge in rapid sequence, or links that go up and down all the time. */
  readonly storms?: 'merges' | 'flaps';
  /** Behaviours that the Byzantine validators draw from: less than a third of the weight. */
  readonly byzantine?: readonly BehaviourName[];
  /** A third of the weight or more is Byzantine: a fork is possible, and its makers must be found out. Never drawn by itself. */
  readonly fork?: boolean;
}

const PLAIN = {
  crashes: { network: 'light', crashes: true },
  blackouts: { network: 'light', blackouts: true },
  loss: { network: 'heavy' },
  partitions: { network: 'light', partitions: true },
  skew: { network: 'light', skew: true },
  damage: { network: 'light', crashes: true, damage: true },
  marathon: { network: 'light', crashes: true, partitions: true, long: true },
  'wide-area': { network: 'light', partitions: true, wideArea: true },
  epochs: { network: 'light', changes: true },
  'epochs-faults': { network: 'light', crashes: true, partitions: true, changes: true },
  'epochs-offenders': {
    network: 'light',
    partitions: true,
    changes: true,
    byzantine: ['equivocating-proposer', 'equivocating-voter'],
  },
  'epochs-signers': { network: 'light', crashes: true, partitions: true, changes: true, signers: true },
  snapshots: { network: 'light', crashes: true, partitions: true, stores: 'whole' },
  'snapshots-epochs': { network: 'light', partitions: true, changes: true, stores: 'whole' },
  pruned: { network: 'calm', stores: 'pruned' },
  'sync-restarts': { network: 'light', stores: 'whole', catchUp: 'crashes' },
  'sync-damage': { network: 'light', stores: 'whole', catchUp: 'damage' },
  'merge-storms': { network: 'calm', storms: 'merges' },
  flapping: { network: 'light', crashes: true, storms: 'flaps' },
  everything: { network: 'heavy', crashes: true, partitions: true, skew: true, byzantine: BEHAVIOUR_NAMES },
} as const satisfies Record<string, Recipe>;

type PlainName = keyof typeof PLAIN;
export type ScenarioName = PlainName | `byzantine-${BehaviourName}` | 'fork';

/** The scenarios that a command without `--scenario` goes through in turn. */
export const SCENARIO_NAMES: readonly ScenarioName[] = [
  ...(Object.keys(PLAIN) as PlainName[]),
  ...BEHAVIOUR_NAMES.map((name) => `byzantine-${name}` as const),
];

/** Their chance comes when locks are held, and locks are held where commits are lost. */
const LOCK_BREAKERS: readonly string[] = ['unlocking', 'twins', 'equivocating-proposer'];

/** Those who lie about snapshots need someone who wants one, and others who lie about blocks to fall back on. */
const SNAPSHOT_LIARS: Recipe = {
  network: 'light',
  partitions: true,
  stores: 'whole',
  byzantine: ['snapshot-liar', 'snapshot-liar', 'sync-liar'],
};

/** Every Byzantine behaviour meets a network that is not perfect, and now and then a crash or a partition, where its chances are. */
export function recipeOf(name: ScenarioName): Recipe {
  if (name === 'fork') return { fork: true };
  if (name in PLAIN) return PLAIN[name as PlainName];
  const behaviour = name.slice('byzantine-'.length) as BehaviourName;
  if (behaviour === 'snapshot-liar') return SNAPSHOT_LIARS;
  const network = LOCK_BREAKERS.includes(behaviour) ? 'heavy' : 'light';
  return { network, crashes: true, partitions: true, byzantine: [behaviour] };
}

export function isScenarioName(text: string): text is ScenarioName {
  return text === 'fork' || SCENARIO_NAMES.some((name) => name === text);
}
