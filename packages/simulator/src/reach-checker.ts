import { LOCAL_CONFIGURATION, type ReplicaConfiguration } from '@nacre/replica';
import type { ClusterReplica } from './cluster-replica.ts';
import type { FaultTally } from './fault-tally.ts';
import type { Report } from './violation.ts';

type Side = ClusterReplica['reach']['sides'][number];
type Settings = Pick<ReplicaConfiguration, 'reachIntervalMs' | 'reachSilenceMs' | 'reachSettleMs' | 'repairIntervalMs'>;

/** What connecting and a few frames take at most on a calm network, in virtual ms. */
const NETWORK_MS = 150;

function settingsOf(configuration: Partial<ReplicaConfiguration>): Settings {
  return { ...LOCAL_CONFIGURATION, ...configuration };
}

/** Within so many virtual ms everyone has to see what has become of the network: the silence, two rounds of words about it, and a look at each. */
export function namedWithinMs(configuration: Partial<ReplicaConfiguration>): number {
  const { reachSilenceMs, reachIntervalMs, repairIntervalMs } = settingsOf(configuration);
  return reachSilenceMs + 3 * (reachIntervalMs + repairIntervalMs) + NETWORK_MS;
}

/** A validator, as the simulation knows it. */
export interface Standing {
  readonly node: number;
  /** Address in hexadecimal. */
  readonly id: string;
  readonly weight: number;
  /** The process that runs, by its number; null: none, so that nobody hears it. */
  readonly generation: number | null;
  /** What its process says; empty while it says nothing yet. */
  readonly sides: readonly Side[];
}

interface Options {
  readonly configuration: Partial<ReplicaConfiguration>;
  readonly tally: FaultTally;
  readonly report: Report;
}

/**
 * Whether validators tell rightly who can reach whom, where nothing but partitions and crashes keeps frames from arriving: whoever is cut off, together
 * with others or alone, names its side, all of it, and whether that may decide; whoever is not, accuses nobody. Given as long as the settings promise.
 */
export class ReachChecker {
  readonly #options: Options;
  readonly #settledMs: number;
  readonly #namedMs: number;
  #truth = '';
  #sinceMs = 0;
  #processes = '';
  #processesSinceMs = 0;

  constructor(options: Options) {
    this.#options = options;
    const { reachSettleMs } = settingsOf(options.configuration);
    this.#namedMs = namedWithinMs(options.configuration);
    this.#settledMs = reachSettleMs + this.#namedMs;
  }

  /** @param reaches whether frames go from one node to another and back */
  look(standings: readonly Standing[], reaches: (one: number, other: number) => boolean, nowMs: number): void {
    const groups = groupsOf(standings, reaches);
    this.#note(standings, groups, nowMs);
    if (nowMs - this.#sinceMs < this.#namedMs || nowMs - this.#processesSinceMs < this.#settledMs) return;
    const totalWeight = standings.reduce((sum, { weight }) => sum + weight, 0);
    for (const { node, id, generation, sides } of standings) {
      if (generation === null) continue;
      const group = groups.find((members) => members.some((member) => member.id === id)) as readonly Standing[];
      const weight = group.reduce((sum, member) => sum + member.weight, 0);
      const expected = describe(group.map((member) => member.id).sort(), 3 * weight > 2 * totalWeight);
      const own = sides.find((side) => side.own);
      const told = own === undefined ? 'nothing' : describe([...own.members].sort(), own.mayDecide);
      if (told !== expected || sides.length > 1 !== group.length < standings.length)
        this.#options.report('REACH', `node ${node} tells of ${sides.length} sides, its own is ${told}, and was ${expected} for long`);
      else if (sides.length > 1) this.#options.tally.add('partitionNamed');
    }
  }

  #note(standings: readonly Standing[], groups: readonly (readonly Standing[])[], nowMs: number): void {
    const truth = groups.map((group) => group.map(({ node }) => node).join('+')).join(' ');
    if (truth !== this.#truth) this.#sinceMs = nowMs;
    this.#truth = truth;
    const processes = standings.map(({ generation }) => generation).join(' ');
    if (processes !== this.#processes) this.#processesSinceMs = nowMs;
    this.#processes = processes;
  }
}

/** Those who reach one another, through whomever; a process that does not run is alone. */
function groupsOf(standings: readonly Standing[], reaches: (one: number, other: number) => boolean): readonly (readonly Standing[])[] {
  const left = new Set(standings);
  const groups: Standing[][] = [];
  for (const start of standings) {
    if (!left.delete(start)) continue;
    const group = [start];
    for (const { node, generation } of group) {
      for (const other of left) {
        if (generation === null || other.generation === null || !reaches(node, other.node)) continue;
        left.delete(other);
        group.push(other);
      }
    }
    groups.push(group);
  }
  return groups;
}

function describe(members: readonly string[], mayDecide: boolean): string {
  return `${members.map((id) => id.slice(0, 8)).join(', ')}${mayDecide ? ', which may decide' : ''}`;
}
