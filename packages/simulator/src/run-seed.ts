import { type Refusal, toHex } from '@nacre/base';
import { type Applied, type Salvaged, storeDamage } from '@nacre/ledger';
import { ChainChecker } from './chain-checker.ts';
import { ClientHistory } from './client-history.ts';
import { Cluster } from './cluster.ts';
import { type ClusterReplica, type OpenReplica, openReplica } from './cluster-replica.ts';
import { CommitteeBook } from './committee-book.ts';
import { FaultInjector } from './fault-injector.ts';
import { type FaultCounts, FaultTally } from './fault-tally.ts';
import { checkFinalState, checkSettled, type FinalState, isSettled } from './final-checker.ts';
import { LockChecker, type LockMember } from './lock-checker.ts';
import { isNeeded } from './needed-value.ts';
import { checkProofs } from './proof-checker.ts';
import { SeededRandom } from './random.ts';
import { ReachChecker } from './reach-checker.ts';
import type { Scenario } from './scenario.ts';
import type { ScenarioName } from './scenarios/scenarios.ts';
import { Scheduler } from './scheduler.ts';
import { membersOf, SetWatch } from './set-watch.ts';
import { realKit, type SignatureKit, testKit } from './signature-kit.ts';
import { type LogListener, simLog } from './sim-log.ts';
import type { SimNode } from './sim-node.ts';
import { type Statement, StatementChecker } from './statement-checker.ts';
import { Trace, type TraceEntry } from './trace.ts';
import { ValidityChecker } from './validity-checker.ts';
import type { Violation, ViolationCode } from './violation.ts';
import { WitnessChecker } from './witness-checker.ts';
import { Workload } from './workload.ts';

/** Virtual time within which everything must be settled once the faults have stopped. The bound that the network promises. */
const PROGRESS_MS_MAX = 60_000;
/** The same where blocks come quickly and nobody lies: whoever waits for what never comes is seen sooner. */
const QUICK_PROGRESS_MS_MAX = 20_000;
/** Clients go on for so long after the faults, so that there is always something left to decide, in virtual ms. */
const WORKLOAD_AFTER_MS = 1_000;
/** How often a run looks whether it is settled, in virtual ms. */
const LOOK_MS = 200;
/** How often what validators say of their reach is held against the truth, in virtual ms. */
const REACH_LOOK_MS = 50;
/** Virtual time for reading disks, for comparing records and for stopping. */
const HOUSEKEEPING_MS = 10_000;
/** Events of one phase of a run. A run takes tens of thousands; a replica in a loop takes any number. */
const EVENTS_MAX = 20_000_000;

export interface RunOptions {
  /** Broken variants take the place of the real replica here. */
  readonly open?: OpenReplica;
  readonly onTrace?: (entry: TraceEntry) => void;
  /** Shown the cluster before it starts. */
  readonly onCluster?: (cluster: Cluster) => void;
  readonly onLog?: (nowMs: number, ...entry: Parameters<LogListener>) => void;
}

export interface RunResult {
  readonly seed: number;
  readonly scenario: ScenarioName;
  readonly violations: readonly Violation[];
  /** Hash over all that happened, in hexadecimal. */
  readonly traceHash: string;
  /** Blocks decided. */
  readonly heights: number;
  readonly virtualMs: number;
  readonly events: number;
  readonly faults: FaultCounts;
  /** Blocks that were decided in a later round than the first. */
  readonly laterRounds: number;
  /** Proposals of a block that had a quorum of prepares in an earlier round. */
  readonly reProposals: number;
  /** Distinct transactions by how they ended; `refused` ones were never admitted. */
  readonly transactions: Readonly<Record<'committed' | 'failed' | 'expired' | 'refused', number>>;
  /** Time that the run took of one core, in ms; not decided by the seed. */
  readonly cpuMs: number;
  /** What clients were refused for, by code, and how often. */
  readonly refusals: Readonly<Record<string, number>>;
}

/** Runs one scenario from its first start to the last comparison. The same scenario gives the same result. */
export async function runScenario(scenario: Scenario, options: RunOptions = {}): Promise<RunResult> {
  return new SeedRun(scenario, options).execute();
}

class SeedRun {
  readonly #scenario: Scenario;
  readonly #scheduler = new Scheduler();
  readonly #tally = new FaultTally();
  readonly #trace: Trace;
  readonly #violations: Violation[] = [];
  readonly #chain: ChainChecker;
  readonly #validity: ValidityChecker;
  readonly #locks: LockChecker;
  readonly #book: CommitteeBook;
  readonly #sets: SetWatch;
  readonly #cpuBefore = process.threadCpuUsage();
  readonly #statements: StatementChecker;
  readonly #history: ClientHistory;
  readonly #witness: WitnessChecker;
  readonly #kit: SignatureKit;
  readonly #cluster: Cluster;
  readonly #workload: Workload;
  readonly #injector: FaultInjector;
  /** Null where more than partitions and crashes keeps frames from arriving. */
  readonly #reach: ReachChecker | null;
  /** Nodes that have given up their store, and had to fetch the chain again. */
  readonly #refilling = new Set<number>();
  #laterRounds = 0;
  #calmHeight = 0;
  #settled = false;

  constructor(scenario: Scenario, { open = openReplica, onTrace, onLog, onCluster }: RunOptions) {
    this.#scenario = scenario;
    this.#trace = new Trace(onTrace);
    this.#chain = new ChainChecker(this.#report);
    this.#statements = new StatementChecker(this.#report, (validator, height) => this.#isHonestAt(height, validator));
    const random = SeededRandom.fromSeed(scenario.seed);
    const scheduler = this.#scheduler;
    this.#witness = new WitnessChecker({ tally: this.#tally, report: this.#report });
    this.#history = new ClientHistory((txId, refusal) => this.#witness.refused(txId, refusal));
    const [tally, trace, history, witness] = [this.#tally, this.#trace, this.#history, this.#witness];
    this.#kit = scenario.realSignatures ? realKit() : testKit({ short: scenario.shortSignatures });
    const kit = this.#kit;
    this.#cluster = new Cluster(
      { scenario, open, kit },
      {
        random: random.fork('cluster'),
        scheduler,
        tally,
        trace,
        statements: { see: (statement) => this.#said(statement) },
        logOf: (index) => simLog(index, (...entry) => onLog?.(scheduler.nowMs, ...entry)),
        penalized: (by, peer, offence) => this.#penalized(by, peer, offence),
        report: this.#report,
      },
      {
        opened: (node, replica) => this.#opened(node, replica),
        decided: (node, block, replica) => node.read(replica, () => this.#decided(node, block, replica)),
        salvaged: (node, salvaged) => this.#salvaged(node, salvaged),
        failed: (node, error) => this.#ended(node, error),
      },
    );
    const cluster = this.#cluster;
    onCluster?.(cluster);
    const { genesis } = cluster;
    this.#book = new CommitteeBook(membersOf(genesis.committee));
    this.#validity = new ValidityChecker(
      { membersAt: (height) => this.#book.at(height), chain: genesis.context, genesisHash: genesis.hash },
      { verifier: kit.verifier, report: this.#report },
    );
    this.#locks = new LockChecker((height) => this.#lockMembers(height), this.#report);
    const holders = [...cluster.validators, ...cluster.candidates];
    const isHonest = (address: string): boolean => this.#isHonest(address);
    this.#sets = new SetWatch({ book: this.#book, tally, holders, isHonest, report: this.#report });
    const untilMs = scenario.faultsMs + WORKLOAD_AFTER_MS;
    this.#workload = new Workload(
      {
        gapMs: scenario.submissionGapMs,
        changeGapMs: scenario.changes?.gapMs ?? null,
        windowMs: scenario.stores?.validityWindowMs ?? null,
        untilMs,
      },
      { cluster, scheduler, random: random.fork('workload'), kit, history, trace, witness },
    );
    const storeLost = (node: number): void => history.excuse(node);
    // A calm may be shorter than the time between two looks, and counts all the same.
    const reachChanged = (): void => this.#lookAtReach();
    const faults = random.fork('faults');
    this.#injector = new FaultInjector(scenario, { cluster, scheduler, tally, trace, random: faults, storeLost, reachChanged });
    const { configuration } = scenario;
    this.#reach = isUndisturbed(scenario) ? new ReachChecker({ configuration, tally, report: this.#report }) : null;
  }

  async execute(): Promise<RunResult> {
    const scheduler = this.#scheduler;
    const prepared = await this.#finish(this.#cluster.prepare(), 'preparing the disks');
    if (prepared) {
      this.#cluster.startSigners();
      const late = new Set(this.#scenario.joins.map(({ node }) => node));
      for (const node of this.#cluster.nodes) if (!late.has(node.index)) this.#cluster.start(node);
      this.#injector.start();
      this.#cluster.byzantine.start();
      this.#workload.start();
      if (this.#reach !== null) this.#watchReach();
      await this.#runUntil(scheduler.nowMs + this.#scenario.faultsMs, () => false);
      this.#calmHeight = this.#chain.height;
      await this.#runUntil(scheduler.nowMs + WORKLOAD_AFTER_MS, () => false);
      this.#look();
      const isQuick = this.#scenario.stores !== null && this.#scenario.byzantine.length === 0;
      await this.#runUntil(scheduler.nowMs + (isQuick ? QUICK_PROGRESS_MS_MAX : PROGRESS_MS_MAX), () => this.#settled);
      await this.#compare();
    }
    return this.#result();
  }

  /** Bound as a value: the checkers keep it. */
  readonly #report = (code: ViolationCode, detail: string): void => {
    this.#violations.push({ code, atMs: this.#scheduler.nowMs, detail });
  };

  get #failed(): boolean {
    return this.#violations.length > 0;
  }

  /** Runs on unless something is wrong already; the first violation ends a run, since what follows proves nothing. */
  async #runUntil(untilMs: number, until: () => boolean): Promise<void> {
    if (this.#failed) return;
    const end = await this.#scheduler.run({ untilMs, until: () => this.#failed || until(), eventsMax: EVENTS_MAX });
    if (end.kind === 'failed') this.#report('FAILURE', describeError(end.error));
    else if (end.kind === 'events') this.#report('PROGRESS', `more than ${EVENTS_MAX} events in one phase of the run`);
    else if (end.kind === 'idle') this.#report('PROGRESS', 'no event is left that could ever happen');
  }

  /** @returns whether the promise settled and nothing is wrong */
  async #finish(promise: Promise<unknown>, what: string): Promise<boolean> {
    let done = false;
    // A rejection is left unhandled on purpose: it ends the run as a failure.
    void promise.then(() => {
      done = true;
    });
    await this.#runUntil(this.#scheduler.nowMs + HOUSEKEEPING_MS, () => done);
    if (!done && !this.#failed) this.#report('PROGRESS', `${what} takes more than ${HOUSEKEEPING_MS} ms`);
    return !this.#failed;
  }

  #watchReach(): void {
    this.#scheduler.schedule(REACH_LOOK_MS, () => {
      this.#lookAtReach();
      this.#watchReach();
    });
  }

  #lookAtReach(): void {
    const { nodes, validators } = this.#cluster;
    const standings = validators.map(({ address }, node) => {
      const { replica = null, generation = null } = nodes[node] ?? {};
      return { node, id: toHex(address), weight: this.#scenario.weights[node] as number, generation, sides: replica?.reach.sides ?? [] };
    });
    this.#reach?.look(standings, (one, other) => this.#injector.reaches(one, other), this.#scheduler.nowMs);
  }

  /** Where it is watched, everyone sees that the network is whole again. */
  get #isMerged(): boolean {
    return this.#reach === null || this.#cluster.honest.every(({ replica }) => replica?.reach.sides.length === 1);
  }

  /** Looks again and again whether the run is settled. */
  #look(): void {
    this.#scheduler.schedule(LOOK_MS, () => {
      const state = this.#finalState();
      this.#settled = state !== null && isSettled(state) && this.#isMerged;
      if (!this.#settled) this.#look();
    });
  }

  async #compare(): Promise<void> {
    if (this.#failed) return;
    const state = this.#finalState();
    if (state === null) {
      const down = this.#cluster.honest.filter(({ replica }) => replica === null).map(({ index }) => index);
      return this.#report('PROGRESS', `nodes ${down.join(', ')} have not opened their disks`);
    }
    if (!this.#settled) return checkSettled(state, this.#report);
    for (const { index, replica } of this.#cluster.honest)
      if (replica !== null && replica.ledger.firstHeight > this.#chain.leaptTo(index) + 1) this.#tally.add('pruned');
    const [judge] = this.#cluster.honest;
    if (judge?.replica) this.#witness.judge(judge.replica);
    if (!(await this.#finish(checkFinalState(state, this.#report), 'comparing records'))) return;
    if (!(await this.#finish(this.#prove(), 'proving records'))) return;
    await this.#finish(Promise.all(this.#cluster.honest.map((node) => node.stop())), 'stopping');
  }

  async #prove(): Promise<void> {
    const { genesis, honest } = this.#cluster;
    const dependencies = { genesis, verifier: this.#kit.verifier, chain: this.#chain, report: this.#report };
    for (const { replica } of honest) if (replica !== null) await checkProofs(replica, this.#workload.services, dependencies);
  }

  /** Null while an honest node has not opened its disk, or not found out what is spoilt on it. */
  #finalState(): FinalState | null {
    const { nodes, honest } = this.#cluster;
    const isDue = ({ ledger }: ClusterReplica, { disk }: SimNode) => disk.store.damagedKeys.some((key) => isNeeded(key, ledger));
    if (honest.some((node) => node.replica === null || isDue(node.replica, node))) return null;
    for (const { index, replica } of honest)
      if (replica !== null && this.#chain.has(index, replica.ledger.firstHeight)) this.#tally.add('leapt');
    return {
      replicas: nodes.map((node) => (honest.includes(node) ? node.replica : null)),
      generations: nodes.map(({ generation }) => generation ?? -1),
      chain: this.#chain,
      history: this.#history,
      services: this.#workload.services,
      calmHeight: this.#calmHeight,
    };
  }

  #said(statement: Statement): void {
    this.#statements.see(statement);
    this.#locks.see(statement);
  }

  #isHonest(address: string): boolean {
    const { byzantine, validators, candidates } = this.#cluster;
    return !byzantine.has([...validators, ...candidates].findIndex((holder) => toHex(holder.address) === address));
  }

  #isHonestAt(height: number, validator: number): boolean {
    const member = this.#book.at(height)[validator];
    return member !== undefined && this.#isHonest(toHex(member.address));
  }

  #lockMembers(height: number): LockMember[] {
    return this.#book.at(height).map(({ address, weight }) => ({ weight: Number(weight), isHonest: this.#isHonest(toHex(address)) }));
  }

  /** A process has ended by a failure. Byzantine ones may; honest ones only with a typed error about a store that the disk has damaged. */
  #ended(node: SimNode, error: unknown): boolean {
    if (this.#cluster.byzantine.has(node.index)) {
      this.#injector.exited(node);
      return true;
    }
    if (storeDamage(error) === null || !node.disk.store.hasRefused) return false;
    this.#injector.storeRefused(node);
    return true;
  }

  #opened(node: SimNode, replica: ClusterReplica): void {
    if (this.#cluster.byzantine.has(node.index)) return;
    if (this.#chain.stands(node.index, replica.ledger.tip, replica.ledger.firstHeight)) this.#tally.add('leapt');
    replica.sync.onChange(({ kind }) => {
      if (kind === 'catching-up') this.#injector.catchingUp(node);
    });
    const { doubt } = replica.status();
    if (doubt !== null && this.#injector.hasDamagedJournal(node.index)) this.#tally.add('journalDamaged');
    else if (doubt !== null) this.#report('DOUBT', `node ${node.index} restarts in doubt: ${JSON.stringify(doubt)}`);
    for (const { node: owner, id, txId, validUntilMs } of this.#history.acknowledgements) {
      if (owner !== node.index || replica.transactionStatus(id).status !== 'unknown') continue;
      if (this.#chain.mayHaveForgotten(owner, txId, validUntilMs) || this.#comesAgain(node, txId, replica)) continue;
      this.#report('LOST', `node ${node.index} acknowledged ${txId} and does not know it after a restart`);
    }
  }

  /** Whether a transaction stands in a block that the node has to fetch again, since it has given up its store. */
  #comesAgain({ index }: SimNode, txId: string, { ledger }: ClusterReplica): boolean {
    return this.#refilling.has(index) && (this.#chain.heightOf(txId) ?? 0) > ledger.tip.height;
  }

  #salvaged({ index }: SimNode, { lost }: Salvaged): void {
    this.#refilling.add(index);
    if (lost > 0) this.#history.excuse(index);
  }

  #decided(node: SimNode, block: Applied, replica: ClusterReplica): void {
    const { height, blockHash, timeMs, statuses } = block;
    if (this.#cluster.byzantine.has(node.index)) return;
    const { stateRoot, certificate } = replica.ledger.tip;
    const decided = this.#validity.wants(height, certificate) ? replica.ledger.blockAt(height) : undefined;
    if (decided !== undefined) this.#validity.decided(node.index, decided, { certificate, nowMs: this.#scheduler.nowMs });
    if (height > this.#chain.height && certificate !== null && certificate.round > 0) this.#laterRounds++;
    if (this.#scenario.changes !== null) this.#sets.decided(replica, block);
    this.#trace.add(this.#scheduler.nowMs, 'decided', node.index, -1, height, blockHash);
    const hasLeapt = this.#chain.decided(
      node.index,
      { height, blockHash, stateRoot, timeMs },
      statuses.map(({ txId }) => txId),
      replica.ledger.firstHeight,
    );
    if (hasLeapt) this.#tally.add('leapt');
  }

  /** Honest nodes break no rule, so nobody may tell that they did: losses, crashes, old frames and what a liar told them must not look like malice. */
  #penalized(by: number, peer: number, offence: Refusal): void {
    const { byzantine } = this.#cluster;
    this.#trace.add(this.#scheduler.nowMs, 'penalty', by, peer, 0);
    if (byzantine.has(by) || byzantine.has(peer)) return;
    this.#report('ACCUSED', `node ${by} says that node ${peer} broke a rule: ${JSON.stringify(offence)}`);
  }

  #result(): RunResult {
    return {
      seed: this.#scenario.seed,
      scenario: this.#scenario.name,
      violations: this.#violations,
      traceHash: toHex(this.#trace.hash()),
      heights: this.#chain.height,
      cpuMs: cpuMsSince(this.#cpuBefore),
      virtualMs: this.#scheduler.nowMs,
      events: this.#scheduler.eventsRun,
      faults: this.#tally.counts(),
      laterRounds: this.#laterRounds,
      reProposals: this.#statements.reProposals,
      transactions: this.#countEnds(),
      refusals: Object.fromEntries(this.#history.refusals),
    };
  }

  #countEnds(): RunResult['transactions'] {
    const ends = { committed: 0, failed: 0, expired: 0, refused: 0 };
    for (const { id } of this.#history.transactions.values()) {
      const statuses = this.#cluster.honest.map(({ replica, disk }) =>
        replica === null || disk.store.isDamaged ? 'unknown' : replica.transactionStatus(id).status,
      );
      for (const end of ['committed', 'failed', 'expired'] as const) if (statuses.includes(end)) ends[end]++;
      if (statuses.every((status) => status === 'unknown')) ends.refused++;
    }
    return ends;
  }
}

/** Where sets of validators change, who counts is another matter, and is left to others. */
function isUndisturbed({ conditions, byzantine, changes, clocks }: Scenario): boolean {
  const { lossChance, spikeChance, cutMeanMs } = conditions;
  return (
    byzantine.length === 0 &&
    changes === null &&
    lossChance + spikeChance + cutMeanMs === 0 &&
    clocks.every(({ driftPpm }) => driftPpm === 0)
  );
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
