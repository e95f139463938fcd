import type { ReplicaConfiguration } from '@nacre/replica';
import type { BehaviourName } from './byzantine/behaviours.ts';
import type { DiskSpeed } from './disk-timing.ts';
import type { NetworkConditions } from './network-conditions.ts';
import type { Region } from './regions.ts';
import type { ScenarioName } from './scenarios/scenarios.ts';

/** A planned crash, of one node or of several at one moment. */
export interface CrashPlan {
  readonly atMs: number;
  readonly nodes: readonly number[];
  /**
   * `sync`: as soon as, from `atMs` on, a node syncs something, and before that completes. `catch-up`: a little after a node has, from `atMs` on,
   * begun to catch up with the others.
   */
  readonly moment: 'now' | 'sync' | 'catch-up';
  /** How long each of `nodes` stays down, in ms. */
  readonly downMs: readonly number[];
}

export const PARTITION_SHAPES = ['halves', 'islands', 'isolated', 'bridge', 'ring', 'one-way', 'flapping'] as const;
export type PartitionShape = (typeof PARTITION_SHAPES)[number];

/** A time during which some pairs of nodes cannot talk. Several may overlap: a pair talks if none of them forbids it. */
export interface PartitionPlan {
  readonly shape: PartitionShape;
  readonly fromMs: number;
  readonly untilMs: number;
  /** Directed pairs. Both directions forbidden: the connection ends. One: it stays, and what is sent that way is lost. */
  readonly forbidden: readonly (readonly [from: number, to: number])[];
  /** The partition comes and goes in turns of so many ms; 0: it stays. */
  readonly turnMs: number;
}

/** How a machine's wall clock errs. */
export interface ClockPlan {
  readonly offsetMs: number;
  /** Parts per million by which it runs too fast, for timers as well. */
  readonly driftPpm: number;
  /** Sudden corrections, as by a time server. */
  readonly steps: readonly { readonly atMs: number; readonly byMs: number }[];
}

/** A disk that does not keep what it promised, found out after a crash. */
export const DAMAGE_KINDS = ['journal-flipped', 'journal-lost', 'identity-lost', 'disk-lost', 'store-unreadable'] as const;
/** The same under a running process: some value, a block or a transaction among others, or a part of the store with no word about which. */
export const LIVE_DAMAGE_KINDS = ['value-spoilt', 'block-spoilt', 'table-spoilt'] as const;
export type LiveDamageKind = (typeof LIVE_DAMAGE_KINDS)[number];
export type DamageKind = (typeof DAMAGE_KINDS)[number] | LiveDamageKind;

export interface DamagePlan {
  readonly atMs: number;
  readonly node: number;
  readonly kind: DamageKind;
  /** `catch-up`: as soon as, from `atMs` on, the node begins to catch up. */
  readonly moment: 'now' | 'catch-up';
  /** How long a node stays down that a damage takes down, in ms. */
  readonly downMs: number;
}

/** A node that joins late, with nothing but the genesis. */
export interface JoinPlan {
  readonly node: number;
  readonly atMs: number;
}

/** How nodes keep their stores, where that is more than to keep every block. */
export interface StorePlan {
  /** Every node makes a snapshot at the first fit block from each multiple of this height on. */
  readonly snapshotIntervalBlocks: number;
  /** Blocks behind the others from which on a snapshot is fetched. */
  readonly snapshotBehindBlocks: number;
  /** How long a transaction may wait for its block, in ms of block time: nobody prunes what was decided since. Decided with the genesis. */
  readonly validityWindowMs: number;
  /** Nodes that keep no more blocks than they have to. */
  readonly pruning: readonly number[];
  /** From the end of one pass through a store to the next, in ms; 0: stores are not gone through. */
  readonly scrubIntervalMs: number;
}

/** How often the validator set is worked on, and how long epochs last. */
export interface ChangePlan {
  /** Mean time between two steps of validators: proposals and approvals, in virtual ms. */
  readonly gapMs: number;
  readonly epochMs: number;
  readonly epochBlocksMin: number;
}

export const SIGNER_FAULT_KINDS = ['signer', 'node', 'link'] as const;
export type SignerFaultKind = (typeof SIGNER_FAULT_KINDS)[number];

/** A validator whose key is in a process of its own, and what becomes of that. */
export interface SignerPlan {
  readonly node: number;
  readonly faults: readonly {
    readonly atMs: number;
    /** The signer loses its power; its node does; or only the connection between the two ends. */
    readonly kind: SignerFaultKind;
    /** `signed`: as soon as, from `atMs` on, it has signed something, and before anybody hears of that. */
    readonly moment: 'now' | 'signed';
    /** How long a half stays down, in ms. */
    readonly downMs: number;
  }[];
}

export interface ByzantinePlan {
  readonly node: number;
  readonly behaviour: BehaviourName;
}

/** All that a seed decides in advance. Plain data: it can be written to a file, shrunk, and run again. */
export interface Scenario {
  readonly seed: number;
  readonly name: ScenarioName;
  /** Validators, at the first positions among the nodes, with their weights. */
  readonly weights: readonly number[];
  readonly followers: number;
  /** Whether the followers hold keys, and validators come, go and are weighed anew while the network runs; null: nothing of the kind. */
  readonly changes: ChangePlan | null;
  /** Whether ML-DSA signs, instead of a fast stand-in. */
  readonly realSignatures: boolean;
  /** Whether the stand-in's votes and proposals carry short signatures. */
  readonly shortSignatures: boolean;
  /** Whether each process remembers which signatures it has verified, as a node does. */
  readonly cachedVerifier: boolean;
  /** From the start to the end of all faults, in virtual ms. Byzantine nodes do not stop. */
  readonly faultsMs: number;
  readonly conditions: NetworkConditions;
  readonly diskSpeed: DiskSpeed;
  /** How the replicas are configured, where it differs from what suits a local network. */
  readonly configuration: Partial<ReplicaConfiguration>;
  /** Where in the world each node stands; empty: all in one room. */
  readonly regions: readonly Region[];
  /** For each node. */
  readonly clocks: readonly ClockPlan[];
  readonly crashes: readonly CrashPlan[];
  readonly partitions: readonly PartitionPlan[];
  readonly damages: readonly DamagePlan[];
  readonly byzantine: readonly ByzantinePlan[];
  readonly signers: readonly SignerPlan[];
  readonly joins: readonly JoinPlan[];
  /** Null: every node keeps every block, and makes no snapshots. */
  readonly stores: StorePlan | null;
  /** Mean time between submissions, in virtual ms. */
  readonly submissionGapMs: number;
}

/** For each twin, in the order of their positions after validators and followers: the validator whose key it shares. */
export function twinsOf({ byzantine }: Pick<Scenario, 'byzantine'>): number[] {
  return byzantine.filter(({ behaviour }) => behaviour === 'twins').map(({ node }) => node);
}

export function nodesOf(scenario: Pick<Scenario, 'weights' | 'followers' | 'byzantine'>): number {
  return scenario.weights.length + scenario.followers + twinsOf(scenario).length;
}
