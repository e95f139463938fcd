import { type Hash, toHex, utf8 } from '@nacre/base';
import {
  type Certificate,
  type Committee,
  Core,
  type CoreEvent,
  checkCertificate,
  decodeProposal,
  decodeVote,
  type Equivocation,
  encodeProposal,
  encodeVote,
  type Lock,
  type OwnMessage,
  type Proposal,
  type RoundState,
  roundStateCodec,
  type SignRequest,
  type Vote,
  type VoteKind,
} from '@nacre/consensus';
import { sha256 } from '@nacre/crypto';
import { block, HEIGHT, TIME, TIMEOUTS, voteOf } from './fixtures.ts';
import { Dice, Schedule } from './schedule.ts';

export type Message =
  | { readonly kind: 'vote'; readonly vote: Vote }
  | { readonly kind: 'proposal'; readonly proposal: Proposal }
  | { readonly kind: 'state'; readonly state: RoundState }
  | { readonly kind: 'certificate'; readonly certificate: Certificate };

/** Sent by itself, or in answer to a round state. */
export type Way = 'first' | 'repair';

export interface ClusterOptions {
  readonly seed: number;
  readonly committee: Committee;
  /** Indexes of equivocators; each sends whatever it likes to whomever. */
  readonly byzantine?: readonly number[];
  /** Probability that a message is lost, by what it is. */
  readonly loss?: { readonly first: number; readonly repair: number };
  readonly delayMsMax?: number;
  /** Probability that a restart takes a validator's memory, per message that it gets. */
  readonly restarts?: number;
  /** A message that it is false for is lost. */
  readonly lets?: (message: Message, from: number, to: number, way: Way) => boolean;
  /** Who is told at the start that there is work. Default: everyone. */
  readonly workers?: readonly number[];
}

interface Built {
  readonly timeMs: number;
  readonly proposer: number;
}

const REPAIR_EVERY_MS = 400;
/** Virtual time within which every honest validator must have decided. */
const DEADLINE_MS = 20 * 60_000;

/** Bare cores of one height, wired by a lossy network, virtual time and nothing else. */
export class Cluster {
  readonly options: ClusterOptions;
  readonly dice: Dice;
  readonly schedule = new Schedule();
  readonly members: Member[];
  /** Headers of all blocks that anyone has built. */
  readonly built = new Map<string, Built>();
  readonly accused: Equivocation[] = [];
  readonly counts = { lost: 0, restarts: 0, reproposals: 0, locks: 0, roundMax: 0 };
  #trace: Uint8Array = new Uint8Array(32);

  constructor(options: ClusterOptions) {
    this.options = options;
    this.dice = new Dice(options.seed);
    this.members = options.committee.validators.map((_, index) => new Member(this, index));
    for (const member of this.members) this.schedule.after(this.dice.below(REPAIR_EVERY_MS), () => member.exchange());
    for (const worker of options.workers ?? this.members.keys()) this.schedule.after(0, () => this.members[worker]?.step({ kind: 'work' }));
  }

  /** Runs until every honest validator has decided. @throws {Error} at the deadline */
  run(): this {
    while (this.honest.some((member) => member.decision === null)) {
      if (this.schedule.nowMs > DEADLINE_MS || !this.schedule.next()) {
        const stuck = this.honest.map((member) => `${member.index}: round ${member.core.round} ${member.core.currentStep}`);
        throw new Error(`seed ${this.options.seed}: not decided after ${this.schedule.nowMs} ms; ${stuck.join(', ')}`);
      }
    }
    return this;
  }

  get honest(): Member[] {
    return this.members.filter((member) => !member.byzantine);
  }

  get trace(): string {
    return toHex(this.#trace);
  }

  /** The blocks that honest validators decided: one, unless consensus is broken. */
  get decidedBlocks(): string[] {
    return [...new Set(this.honest.map((member) => (member.decision === null ? 'none' : toHex(member.decision.blockHash))))];
  }

  note(line: string): void {
    this.#trace = sha256(utf8(`${toHex(this.#trace)} ${this.schedule.nowMs} ${line}`));
  }

  send(message: Message, from: number, to: number, way: Way): void {
    const probability = this.options.loss?.[way] ?? 0;
    const lost = (probability > 0 && this.dice.chance(probability)) || this.options.lets?.(message, from, to, way) === false;
    if (lost) {
      this.counts.lost++;
      return;
    }
    const delayMs = 1 + this.dice.below(this.options.delayMsMax ?? 50);
    this.schedule.after(delayMs, () => this.members[to]?.receive(message, from));
  }
}

/** One validator: a core with a journal that survives restarts, or an equivocator. */
export class Member {
  readonly index: number;
  readonly byzantine: boolean;
  core: Core;
  decision: Certificate | null = null;
  readonly #cluster: Cluster;
  readonly #journal: { messages: OwnMessage[]; lock: Lock | null; own: CoreEvent[] } = { messages: [], lock: null, own: [] };
  readonly #blocks = new Set<string>();
  /** Timers and fetches of earlier lives do nothing. */
  #life = 0;

  constructor(cluster: Cluster, index: number) {
    this.#cluster = cluster;
    this.index = index;
    this.byzantine = cluster.options.byzantine?.includes(index) ?? false;
    this.core = this.#start();
  }

  #start(): Core {
    const { committee } = this.#cluster.options;
    const { messages, lock } = this.#journal;
    // Equivocators run an observing core to know what is going on, and say what they like.
    const self = this.byzantine ? null : this.index;
    return new Core({ height: HEIGHT, committee, self, timeouts: TIMEOUTS, time: TIME, restored: { messages: [...messages], lock } });
  }

  /** Forgets everything that was not journaled or a stored block. */
  restart(): void {
    this.#cluster.counts.restarts++;
    this.#life++;
    this.core = this.#start();
    this.#cluster.note(`${this.index} restarts at round ${this.core.round}`);
    for (const hex of this.#blocks) this.step({ kind: 'block', blockHash: Uint8Array.from(Buffer.from(hex, 'hex')), valid: true });
    for (const event of this.#journal.own) this.step(event);
    this.step({ kind: 'work' });
  }

  exchange(): void {
    this.#cluster.schedule.after(REPAIR_EVERY_MS, () => this.exchange());
    if (this.decision !== null) return;
    const state = roundStateCodec.decode(roundStateCodec.encode(this.core.roundState()));
    if (!state.ok) throw new Error('a round state must decode');
    this.#toOthers({ kind: 'state', state: state.value }, 'repair');
  }

  receive(message: Message, from: number): void {
    const { restarts } = this.#cluster.options;
    if (restarts !== undefined && !this.byzantine && this.decision === null && this.#cluster.dice.chance(restarts)) this.restart();
    switch (message.kind) {
      case 'vote':
        this.step({ kind: 'vote', vote: message.vote });
        return this.byzantine ? this.#equivocate(message.vote) : undefined;
      case 'proposal':
        return this.step(this.#proposalEvent(message.proposal));
      case 'certificate':
        return this.step({ kind: 'certificate', certificate: message.certificate });
      case 'state':
        return this.#answer(message.state, from);
    }
  }

  step(event: CoreEvent): void {
    this.core.step(event);
    const { counts } = this.#cluster;
    counts.roundMax = Math.max(counts.roundMax, this.core.round);
    while (this.core.hasReady()) this.#carryOut();
  }

  #carryOut(): void {
    const ready = this.core.takeReady();
    if (ready.fault !== null) throw new Error(`fault ${ready.fault.code}`);
    if (ready.lock !== null) this.#journal.lock = ready.lock;
    if (ready.lock !== null) this.#cluster.counts.locks++;
    this.#cluster.accused.push(...ready.equivocations);
    const life = this.#life;
    for (const { timeout, delayMs } of ready.schedule) {
      this.#cluster.schedule.after(delayMs, () => {
        if (life === this.#life) this.step({ kind: 'timeout', timeout });
      });
    }
    if (ready.decide !== null) this.#decided(ready.decide.certificate);
    for (const blockHash of ready.wanted) this.#fetch(blockHash);
    for (const request of ready.sign) this.#signAndSend(request);
    const build = ready.build;
    if (build !== null) this.step({ kind: 'built', round: build.round, blockHash: this.#build(`by ${this.index} in ${build.round}`) });
  }

  #decided(certificate: Certificate): void {
    if (!checkCertificate(this.#cluster.options.committee, certificate).ok) throw new Error('decided without a quorum');
    this.decision = certificate;
    this.#cluster.note(`${this.index} decides ${toHex(certificate.blockHash)} by round ${certificate.round}`);
  }

  #signAndSend(request: SignRequest): void {
    const { committee } = this.#cluster.options;
    const { content } = request;
    this.#assertUnsigned(request);
    this.#journal.messages.push(
      request.kind === 'vote' ? { kind: 'vote', content: request.content } : { kind: 'proposal', content: request.content },
    );
    this.#cluster.note(`${this.index} signs ${JSON.stringify({ ...content, blockHash: content.blockHash && toHex(content.blockHash) })}`);
    if (request.kind === 'vote') {
      const vote = decodeVote(encodeVote(voteOf(committee, this.index, request.content, request.content.blockHash)));
      if (!vote.ok) throw new Error('a vote must decode');
      const event = { kind: 'vote', vote: vote.value } as const;
      this.#journal.own.push(event);
      this.#toOthers(event, 'first');
      this.step(event);
    } else {
      if (request.content.validRound >= 0) this.#cluster.counts.reproposals++;
      const proposal = decodeProposal(encodeProposal({ ...request.content, proposer: this.index, signature: new Uint8Array(9) }));
      if (!proposal.ok) throw new Error('a proposal must decode');
      for (const vote of request.justification) this.#toOthers({ kind: 'vote', vote }, 'first');
      this.#toOthers({ kind: 'proposal', proposal: proposal.value }, 'first');
      const event = this.#proposalEvent(proposal.value);
      this.#journal.own.push(event);
      this.step(event);
    }
  }

  /** The invariant that everything rests on: an honest key signs one content at one place. */
  #assertUnsigned(request: SignRequest): void {
    const place = (message: SignRequest | OwnMessage): string =>
      `${message.content.round} ${message.kind === 'vote' ? message.content.kind : 'proposal'}`;
    const twice = this.#journal.messages.some((message) => place(message) === place(request));
    if (twice) throw new Error(`seed ${this.#cluster.options.seed}: ${this.index} signs twice at ${place(request)}`);
  }

  #answer(state: RoundState, peer: number): void {
    const repair = (message: Message) => this.#cluster.send(message, this.index, peer, 'repair');
    if (this.byzantine) return;
    if (this.decision !== null) return repair({ kind: 'certificate', certificate: this.decision });
    for (const vote of this.core.votesMissingAt(state)) repair({ kind: 'vote', vote });
    const relayed = this.core.proposalMissingAt(state);
    if (relayed === null) return;
    for (const vote of relayed.justification) repair({ kind: 'vote', vote });
    repair({ kind: 'proposal', proposal: relayed.proposal });
  }

  #proposalEvent(proposal: Proposal): CoreEvent {
    const built = this.#cluster.built.get(toHex(proposal.blockHash));
    const { nowMs } = this.#cluster.schedule;
    return { kind: 'proposal', proposal, header: built ?? { timeMs: nowMs, proposer: null }, arrivalMs: nowMs };
  }

  #build(name: string): Hash {
    const blockHash = block(name);
    this.#cluster.built.set(toHex(blockHash), { timeMs: this.#cluster.schedule.nowMs, proposer: this.index });
    this.#blocks.add(toHex(blockHash));
    return blockHash;
  }

  /** From anyone, sooner or later; a node that lost interest stops by itself. */
  #fetch(blockHash: Hash): void {
    const life = this.#life;
    const hex = toHex(blockHash);
    this.#cluster.schedule.after(this.#blocks.has(hex) ? 0 : 5 + this.#cluster.dice.below(200), () => {
      if (life !== this.#life || !this.#cluster.built.has(hex)) return;
      this.#blocks.add(hex);
      this.step({ kind: 'block', blockHash, valid: true });
    });
  }

  #toOthers(message: Message, way: Way): void {
    for (const { index } of this.#cluster.members) if (index !== this.index) this.#cluster.send(message, this.index, index, way);
  }

  readonly #toldIn = new Set<number>();

  /** In each round that it hears of, another vote and another proposal for everyone, and now and then once more. */
  #equivocate(heard: Vote): void {
    const { committee } = this.#cluster.options;
    const { dice, members } = this.#cluster;
    if (this.#toldIn.has(heard.round) && !dice.chance(0.05)) return;
    this.#toldIn.add(heard.round);
    const proposes = committee.proposer(HEIGHT, heard.round) === this.index;
    const hashes = proposes ? [this.#build(`${heard.round} x`), this.#build(`${heard.round} y`)] : [];
    for (const { index: to } of members) {
      for (const kind of ['prepare', 'commit'] as VoteKind[]) {
        const blockHash = dice.pick([heard.blockHash, null, ...hashes]);
        const vote = voteOf(committee, this.index, { round: heard.round, kind }, blockHash);
        this.#cluster.send({ kind: 'vote', vote }, this.index, to, 'first');
      }
      if (!proposes) continue;
      const validRound = dice.pick([-1, heard.round - 1]);
      const proposal = { height: HEIGHT, round: heard.round, validRound, blockHash: dice.pick(hashes), proposer: this.index };
      this.#cluster.send({ kind: 'proposal', proposal: { ...proposal, signature: new Uint8Array(1) } }, this.index, to, 'first');
    }
  }
}
