import { SeededRandom } from '@nacre/simulator';

/** When a fault begins, from the first write on, and how long it lasts, in ms. */
interface Span {
  readonly atMs: number;
  readonly forMs: number;
}

/** How a file of a stopped node is damaged: one bit flipped, cut off, or removed. */
export type DamageKind = 'flip' | 'cut' | 'remove';

export type Fault =
  /** Packets between nodes of different groups vanish. */
  | (Span & { readonly kind: 'partition'; readonly groups: readonly (readonly number[])[] })
  /** `kill` is SIGKILL, `restart` SIGTERM, both with a new process at the end; `pause` is SIGSTOP and SIGCONT. */
  | (Span & { readonly kind: 'kill' | 'restart' | 'pause'; readonly nodes: readonly number[] })
  /** The nodes' clocks are off by this much, and right again at the end. */
  | (Span & { readonly kind: 'clock'; readonly nodes: readonly number[]; readonly offsetMs: number })
  /** The disk has only so many bytes left. */
  | (Span & { readonly kind: 'full-disk'; readonly nodes: readonly number[]; readonly leftBytes: number })
  /** SIGKILL, a file changed while the node is down, a new process. `file` and `at` are shares, of the list of files and of the file's length. */
  | (Span & {
      readonly kind: 'damage';
      readonly nodes: readonly number[];
      readonly how: DamageKind;
      readonly file: number;
      readonly at: number;
    });

export type FaultKind = Fault['kind'];

export const FAULT_KINDS: readonly FaultKind[] = ['partition', 'kill', 'restart', 'pause', 'clock', 'full-disk', 'damage'];

/** All that a seed decides. What processes and threads make of it differs from run to run. */
export interface Schedule {
  readonly seed: number;
  readonly nodes: number;
  /** By the end of it all faults have ended, in ms. */
  readonly faultsMs: number;
  /** Genesis parameter, in ms: with the short one, transactions of a cut-off node expire. */
  readonly validityWindowMs: number;
  readonly faults: readonly Fault[];
  /** The nodes run a broken variant of the program, by name; null: the program. */
  readonly variant: string | null;
}

const FAULTS_MS = 10_000;
/** Between the beginnings of two faults, in ms, on average. */
const GAP_MS = 800;
/** Of one node: when a fourth store in an hour is damaged, a node says that its disk is no good, and ends. */
const DAMAGES_MAX = 3;
/** Of runs in which a quorum is left alone. */
const MILD_CHANCE = 0.6;
/** That a fault is of several nodes at once. */
const SEVERAL_CHANCE = 0.4;
const FAULT_MS_MIN = 300;
const FAULT_MS_MAX = 5_000;
const HOUR_MS = 3_600_000;
/** A node signs for half of it. */
const WINDOW_MS_SHORT = 12_000;
const SHORT_WINDOW_CHANCE = 0.4;
/** Clocks of a room that nobody looks after, and one that is plainly wrong. */
const OFFSET_MS_MAX = 4_000;
const LEFT_BYTES_MAX = 256 * 1024;
/** Kinds with the shares in which they are drawn. */
const KINDS: readonly FaultKind[] = [
  ...(['partition', 'partition', 'partition', 'partition', 'kill', 'kill', 'kill', 'pause', 'pause'] as const),
  ...(['restart', 'clock', 'full-disk', 'damage', 'damage'] as const),
];

/**
 * Draws what happens to a network, and no more of it than the protocol promises to survive: only of less than a third of the weight are disks
 * ever damaged. In most runs a quorum is left alone at any time, and has to go on; in the others any number of nodes may be away for a while:
 * nothing is decided then, and nothing may be lost.
 */
export function drawSchedule(seed: number, nodes: number, variant: string | null = null): Schedule {
  const root = SeededRandom.fromSeed(seed).fork(`faults of ${nodes} nodes`);
  const random = root.fork('faults');
  const all = Array.from({ length: nodes }, (_, index) => index);
  const dispensable = Math.ceil(nodes / 3) - 1;
  const breakable = root.fork('breakable').shuffle(all).slice(0, dispensable);
  const leavesQuorum = root.fork('mildness').chance(MILD_CHANCE);
  const faults: Fault[] = [];
  for (let atMs = random.exponential(GAP_MS); atMs < FAULTS_MS - FAULT_MS_MIN; atMs += random.exponential(GAP_MS)) {
    const forMs = Math.min(random.between(FAULT_MS_MIN, FAULT_MS_MAX), FAULTS_MS - atMs);
    const span = { atMs: Math.round(atMs), forMs: Math.round(forMs) };
    const kind = random.pick(KINDS);
    const present = faults.filter((fault) => endOf(fault) >= span.atMs);
    const away = new Set(present.flatMap((fault) => (fault.kind === 'partition' ? cutOff(fault.groups) : fault.nodes)));
    const most = leavesQuorum ? dispensable - away.size : nodes;
    if (most <= 0) continue;
    if (kind === 'partition') {
      if (present.some((fault) => fault.kind === kind)) continue;
      faults.push({ ...span, kind, groups: leavesQuorum ? drawIsland(all, most, random) : drawGroups(all, random) });
      continue;
    }
    const busy = new Set(present.flatMap((fault) => (fault.kind === 'partition' ? [] : fault.nodes)));
    const breaks = (node: number): number => faults.filter((fault) => fault.kind === 'damage' && fault.nodes.includes(node)).length;
    const damageable = breakable.filter((node) => breaks(node) < DAMAGES_MAX);
    const candidates = (kind === 'damage' ? damageable : all).filter((node) => !busy.has(node));
    if (candidates.length === 0) continue;
    // Mostly one of them; now and then all at once.
    const several = random.chance(SEVERAL_CHANCE) ? 1 + random.int(Math.min(most, candidates.length)) : 1;
    faults.push(drawFault(kind, sorted(random.shuffle(candidates).slice(0, several)), span, random));
  }
  return {
    seed,
    nodes,
    faultsMs: FAULTS_MS,
    validityWindowMs: root.fork('window').chance(SHORT_WINDOW_CHANCE) ? WINDOW_MS_SHORT : HOUR_MS,
    faults,
    variant,
  };
}

/** All nodes but those of the largest group. */
export function cutOff(groups: readonly (readonly number[])[]): number[] {
  const largest = groups.reduce((most, group) => (group.length > most.length ? group : most), []);
  return groups.filter((group) => group !== largest).flat();
}

export function endOf({ atMs, forMs }: Span): number {
  return atMs + forMs;
}

function drawFault(kind: Exclude<FaultKind, 'partition'>, nodes: number[], span: Span, random: SeededRandom): Fault {
  switch (kind) {
    case 'kill':
    case 'restart':
    case 'pause':
      return { ...span, kind, nodes };
    case 'clock':
      return { ...span, kind, nodes, offsetMs: Math.round(random.between(-OFFSET_MS_MAX, OFFSET_MS_MAX)) };
    case 'full-disk':
      return { ...span, kind, nodes: nodes.slice(0, 1), leftBytes: random.int(LEFT_BYTES_MAX) };
    case 'damage': {
      const how = random.pick(['flip', 'flip', 'cut', 'cut', 'remove'] as const);
      return { ...span, kind, nodes: nodes.slice(0, 1), how, file: random.unit(), at: random.unit() };
    }
  }
}

/** A part that is no more than so many, and the rest. */
function drawIsland(all: readonly number[], most: number, random: SeededRandom): number[][] {
  const order = random.shuffle(all);
  const size = 1 + random.int(most);
  return [sorted(order.slice(size)), sorted(order.slice(0, size))];
}

/** Halves, an island, everybody alone, or anything else of two or three groups. */
function drawGroups(all: readonly number[], random: SeededRandom): number[][] {
  const order = random.shuffle(all);
  switch (random.pick(['halves', 'island', 'alone', 'any', 'any'] as const)) {
    case 'halves':
      return [sorted(order.slice(0, all.length >> 1)), sorted(order.slice(all.length >> 1))];
    case 'island':
      return [sorted(order.slice(1)), order.slice(0, 1)];
    case 'alone':
      return all.map((node) => [node]);
    case 'any': {
      const [first = 0, second = 0] = sorted([1 + random.int(all.length - 1), 1 + random.int(all.length - 1)]);
      return [order.slice(0, first), order.slice(first, second), order.slice(second)].filter(({ length }) => length > 0).map(sorted);
    }
  }
}

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b);
}
