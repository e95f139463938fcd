import { JOURNAL_FILE, JOURNAL_IDENTITY_FILE, PRUNED_RANGES } from '@nacre/ledger';
import type { Cluster } from './cluster.ts';
import type { FaultTally } from './fault-tally.ts';
import { CALM_CONDITIONS } from './network-conditions.ts';
import type { SeededRandom } from './random.ts';
import {
  type CrashPlan,
  type DamageKind,
  type DamagePlan,
  LIVE_DAMAGE_KINDS,
  type LiveDamageKind,
  type PartitionPlan,
  type Scenario,
  SIGNER_FAULT_KINDS,
  type SignerPlan,
} from './scenario.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimNode } from './sim-node.ts';
import type { Trace } from './trace.ts';

/** Longest wait until a node that is still down when the faults end starts again, in virtual ms. */
const LAST_RESTART_MS = 200;
/** How long it takes until a process that has ended by itself is started again, in virtual ms. */
const OPERATOR_MS = 300;
/** When a crash comes in a catch-up: within so many syncs, or in so many ms from its beginning, as likely in its first request as in the writing of all that has come. */
const SYNCS_INTO_CATCH_UP_MAX = 10;
const INTO_CATCH_UP_MS: readonly [number, number] = [0.5, 150];

/** A turn that begins now counts as begun, whatever adding up its start has done to the last digit. */
const ROUNDING = 1e-6;

interface Dependencies {
  readonly cluster: Cluster;
  readonly scheduler: Scheduler;
  readonly tally: FaultTally;
  readonly trace: Trace;
  readonly random: SeededRandom;
  /** A node's disk has lost what it had promised to keep. */
  readonly storeLost: (node: number) => void;
  /** Other nodes than before can talk with each other. */
  readonly reachChanged: () => void;
}

/** Carries out a scenario's faults, and ends them all at their time. */
export class FaultInjector {
  readonly #scenario: Scenario;
  readonly #dependencies: Dependencies;
  readonly #journalsDamaged = new Set<number>();
  /** What waits, by node, for it to catch up with the others. */
  readonly #awaitingCatchUp = new Map<number, (() => void)[]>();
  /** Directed pairs that cannot talk now, each as one number. */
  #forbidden: ReadonlySet<number> = new Set();
  /** Virtual time from which all plans count. */
  #originMs = 0;
  #over = false;

  constructor(scenario: Scenario, dependencies: Dependencies) {
    this.#scenario = scenario;
    this.#dependencies = dependencies;
  }

  /** Plans everything, from now on. */
  start(): void {
    const { cluster, scheduler } = this.#dependencies;
    this.#originMs = scheduler.nowMs;
    const { conditions, crashes, damages, joins, partitions, signers, faultsMs, clocks } = this.#scenario;
    cluster.network.setConditions(conditions);
    for (const plan of crashes) scheduler.schedule(plan.atMs, () => this.#carryOut(plan));
    for (const plan of damages) scheduler.schedule(plan.atMs, () => this.#planDamage(plan));
    for (const { node, atMs } of joins) scheduler.schedule(atMs, () => this.#join(cluster.nodes[node] as SimNode));
    for (const plan of partitions) this.#planPartition(plan);
    for (const plan of signers) for (const fault of plan.faults) scheduler.schedule(fault.atMs, () => this.#troubleSigner(plan, fault));
    for (const [node, { steps }] of clocks.entries()) for (const { atMs } of steps) scheduler.schedule(atMs, () => this.#noteStep(node));
    scheduler.schedule(faultsMs, () => this.#end());
  }

  /** Whether frames go from one node to another and back, as far as partitions are concerned. */
  reaches(one: number, other: number): boolean {
    const size = this.#dependencies.cluster.nodes.length;
    return !this.#forbidden.has(one * size + other) && !this.#forbidden.has(other * size + one);
  }

  /** Whether a disk has damaged or lost this node's vote journal or what stands beside it. */
  hasDamagedJournal(node: number): boolean {
    return this.#journalsDamaged.has(node);
  }

  /** A process has ended because its store is damaged: it begins anew with an empty one, and keeps the vote journal. */
  storeRefused(node: SimNode): void {
    this.#dependencies.tally.add('storeRefused');
    node.giveUpStore();
    this.exited(node);
  }

  /** A process says that it begins to catch up with the others. */
  catchingUp(node: SimNode): void {
    this.#awaitingCatchUp.get(node.index)?.shift()?.();
  }

  /** A process has ended by itself; it is started again after a while. */
  exited(node: SimNode): void {
    const { scheduler, trace } = this.#dependencies;
    trace.add(scheduler.nowMs, 'exit', node.index, -1, 0);
    // In an event of its own: the process has still to return from what it ended in.
    scheduler.schedule(0, () => {
      if (node.isDown) return;
      node.crash();
      scheduler.schedule(OPERATOR_MS, () => this.#restart(node));
    });
  }

  #checkStore(node: SimNode): void {
    if (!node.isDown) return this.storeRefused(node);
    this.#dependencies.tally.add('storeRefused');
    node.giveUpStore();
  }

  #join(node: SimNode): void {
    if (!node.isDown) return;
    this.#dependencies.tally.add('joined');
    this.#restart(node);
  }

  #carryOut(plan: CrashPlan): void {
    const { cluster, tally } = this.#dependencies;
    if (this.#over) return;
    const nodes = plan.nodes.map((index) => cluster.nodes[index] as SimNode);
    if (plan.moment === 'now' && nodes.length === cluster.nodes.length && nodes.every((node) => !node.isDown)) tally.add('crashOfAll');
    for (const [i, node] of nodes.entries()) {
      const downMs = plan.downMs[i] as number;
      if (plan.moment === 'now') this.#crash(node, downMs);
      else if (plan.moment === 'catch-up') this.#onCatchUp(node.index, () => this.#crashInCatchUp(node, downMs));
      else node.disk.timing.onNextSync((durationMs) => this.#crashWithin(node, durationMs, downMs));
    }
  }

  #crashWithin(node: SimNode, durationMs: number, downMs: number): void {
    const { scheduler, random } = this.#dependencies;
    const { generation } = node;
    scheduler.schedule(random.unit() * durationMs, () => {
      if (!this.#over && node.generation === generation) this.#crash(node, downMs);
    });
  }

  #onCatchUp(node: number, action: () => void): void {
    const waiting = this.#awaitingCatchUp.get(node) ?? [];
    waiting.push(action);
    this.#awaitingCatchUp.set(node, waiting);
  }

  /** After a while, or within one of the syncs that taking up a snapshot is made of. */
  #crashInCatchUp(node: SimNode, downMs: number): void {
    const { scheduler, random } = this.#dependencies;
    const { generation } = node;
    const crash = (): void => {
      if (!this.#over && node.generation === generation) this.#crashCatchingUp(node, downMs);
    };
    const [min, max] = INTO_CATCH_UP_MS;
    if (random.chance(0.5)) return void scheduler.schedule(min * (max / min) ** random.unit(), crash);
    let syncs = 1 + random.int(SYNCS_INTO_CATCH_UP_MAX);
    const next = (durationMs: number): void => {
      if (--syncs === 0) scheduler.schedule(random.unit() * durationMs, crash);
      else node.disk.timing.onNextSync(next);
    };
    node.disk.timing.onNextSync(next);
  }

  #crashCatchingUp(node: SimNode, downMs: number): void {
    const { tally } = this.#dependencies;
    if (node.replica?.sync.state.kind === 'catching-up') tally.add('crashInCatchUp');
    const { snapshot = null } = node.replica?.status() ?? {};
    if (snapshot !== null) tally.add('crashInSnapshot');
    this.#crash(node, downMs);
  }

  #crash(node: SimNode, downMs: number): void {
    const { cluster, scheduler } = this.#dependencies;
    if (node.isDown) return;
    cluster.crash(node);
    scheduler.schedule(downMs, () => this.#restart(node));
  }

  #restart(node: SimNode): void {
    if (node.isDown) this.#dependencies.cluster.start(node);
  }

  #planDamage(plan: DamagePlan): void {
    if (plan.moment === 'now') this.#damage(plan);
    else this.#onCatchUp(plan.node, () => this.#damage(plan));
  }

  /** Lets a node's disk break its promises: under a running process, or while it is down. */
  #damage({ node: index, kind, downMs }: DamagePlan): void {
    const { cluster, scheduler, trace } = this.#dependencies;
    const node = cluster.nodes[index] as SimNode;
    if (this.#over || node.isDown) return;
    trace.add(scheduler.nowMs, 'damage', index, -1, 0);
    if (isLive(kind)) return this.#spoilLive(node, kind);
    this.#crash(node, downMs);
    this.#spoil(node, kind);
  }

  #spoilLive({ disk: { store } }: SimNode, kind: LiveDamageKind): void {
    const isNamed = kind !== 'table-spoilt';
    if (store.damage(kind === 'block-spoilt' ? { ranges: PRUNED_RANGES, isNamed } : { isNamed }))
      this.#dependencies.tally.add('storeSpoilt');
  }

  #spoil(node: SimNode, kind: Exclude<DamageKind, LiveDamageKind>): void {
    const { store, files } = node.disk;
    if (kind === 'store-unreadable') return void store.damage({ isNamed: false });
    this.#journalsDamaged.add(node.index);
    switch (kind) {
      case 'journal-flipped':
        return files.flip(JOURNAL_FILE);
      case 'journal-lost':
        return files.lose(JOURNAL_FILE);
      case 'identity-lost':
        return files.lose(JOURNAL_IDENTITY_FILE);
      case 'disk-lost':
        files.lose();
        store.wipe();
        this.#dependencies.storeLost(node.index);
        return this.#dependencies.tally.add('diskLost');
    }
  }

  #troubleSigner(plan: SignerPlan, fault: SignerPlan['faults'][number]): void {
    const { cluster, scheduler } = this.#dependencies;
    const signer = cluster.signers.get(plan.node);
    if (this.#over || signer === undefined || signer.isDown) return;
    if (fault.moment === 'now') return this.#carryOutAtSigner(plan, fault);
    // In an event of its own: the signature is made, and its answer has still to leave.
    signer.onNextSigned(() => scheduler.schedule(0, () => this.#carryOutAtSigner(plan, fault)));
  }

  #carryOutAtSigner({ node }: SignerPlan, { kind, downMs }: SignerPlan['faults'][number]): void {
    const { cluster, scheduler, tally, trace } = this.#dependencies;
    const signer = cluster.signers.get(node);
    if (this.#over || signer === undefined || signer.isDown) return;
    trace.add(scheduler.nowMs, 'signer', node, -1, SIGNER_FAULT_KINDS.indexOf(kind));
    if (kind === 'node') return this.#crash(cluster.nodes[node] as SimNode, downMs);
    if (kind === 'link') {
      tally.add('signerCut');
      return signer.cut();
    }
    tally.add('signerCrash');
    signer.crash();
    scheduler.schedule(downMs, () => {
      if (signer.isDown) void signer.start();
    });
  }

  #planPartition({ fromMs, untilMs, turnMs }: PartitionPlan): void {
    const { scheduler } = this.#dependencies;
    const turns = turnMs === 0 ? [] : Array.from({ length: Math.floor((untilMs - fromMs) / turnMs) }, (_, i) => fromMs + (i + 1) * turnMs);
    for (const atMs of [fromMs, ...turns, untilMs]) scheduler.at(this.#originMs + atMs, () => this.#applyPartitions());
  }

  /** Adds up what all partitions of this moment forbid. */
  #applyPartitions(): void {
    if (this.#over) return;
    const { cluster, scheduler, tally, trace, reachChanged } = this.#dependencies;
    const nowMs = scheduler.nowMs - this.#originMs;
    const size = cluster.nodes.length;
    const forbidden = new Set<number>();
    for (const { fromMs, untilMs, turnMs, forbidden: pairs } of this.#scenario.partitions) {
      const isTurn = turnMs === 0 || Math.floor((nowMs - fromMs) / turnMs + ROUNDING) % 2 === 0;
      if (nowMs < fromMs || nowMs >= untilMs || !isTurn) continue;
      for (const [from, to] of pairs) forbidden.add(from * size + to);
    }
    this.#forbidden = forbidden;
    const bites = [...forbidden].some((pair) => !this.#isDown(Math.floor(pair / size)) && !this.#isDown(pair % size));
    if (bites) tally.add('partition');
    trace.add(scheduler.nowMs, forbidden.size > 0 ? 'partition' : 'heal', -1, -1, forbidden.size);
    cluster.network.setCarries((from, to) => !forbidden.has(from * size + to));
    cluster.network.setReachable((a, b) => !forbidden.has(a * size + b) || !forbidden.has(b * size + a));
    reachChanged();
  }

  get #scrubs(): boolean {
    return (this.#scenario.stores?.scrubIntervalMs ?? 0) > 0;
  }

  #isDown(node: number): boolean {
    return this.#dependencies.cluster.nodes[node]?.isDown ?? true;
  }

  #noteStep(node: number): void {
    const { tally, trace, scheduler } = this.#dependencies;
    tally.add('clockStepped');
    trace.add(scheduler.nowMs, 'clock', node, -1, 0);
  }

  #end(): void {
    const { cluster, scheduler, random, trace, reachChanged } = this.#dependencies;
    this.#over = true;
    this.#forbidden = new Set();
    trace.add(scheduler.nowMs, 'heal', -1, -1, 0);
    cluster.network.setConditions(CALM_CONDITIONS);
    cluster.network.setCarries(() => true);
    cluster.network.setReachable(() => true);
    reachChanged();
    for (const signer of cluster.signers.values()) {
      signer.onNextSigned(null);
      if (signer.isDown) void signer.start();
    }
    for (const node of cluster.nodes) {
      node.disk.timing.onNextSync(null);
      // What nobody has stumbled on by now, an operator's check finds, unless the node goes through its store itself.
      if (node.disk.store.isDamaged && !this.#scrubs) this.#checkStore(node);
      if (node.isDown) scheduler.schedule(random.between(0, LAST_RESTART_MS), () => this.#restart(node));
    }
  }
}

function isLive(kind: DamageKind): kind is LiveDamageKind {
  return LIVE_DAMAGE_KINDS.some((live) => live === kind);
}
