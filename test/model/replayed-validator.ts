import { type Hash, utf8 } from '@nacre/base';
import {
  type Committee,
  Core,
  type CoreEvent,
  certificateFrom,
  type Lock,
  type OwnMessage,
  type Ready,
  type Vote,
  type VoteContent,
} from '@nacre/consensus';
import { sha256 } from '@nacre/crypto';
import type { Kind, ModelEvent, ModelProposal, ModelTimer, ModelValidator, ModelVote } from './trace.ts';

/** A height at which the committees of the model have its proposers. */
const HEIGHT = 24;

/** When every proposal arrives, ms. Blocks that are not acceptable claim to be a day older. */
const ARRIVAL_MS = 100_000_000;
const DAY_MS = 86_400_000;

const NONE = 'none';
const VALID_BLOCKS = ['A', 'B'];
const CHOICES = [...VALID_BLOCKS, 'invalid', NONE];
const KINDS: readonly Kind[] = ['prepare', 'commit'];
const ROUNDS = [0, 1, 2, 3];
/** The model ends with it; a core would go on to the next one. */
const ROUND_LAST = 3;

const hashes = new Map(CHOICES.map((name) => [name, name === NONE ? null : sha256(utf8(`block ${name}`))]));

/** What can be seen of a validator, and must be the same in the model and in the core. */
export interface Observation {
  readonly working: boolean;
  readonly round: number;
  readonly step: string;
  readonly lock: { readonly lockedRound: number; readonly locked: string; readonly validRound: number; readonly valid: string };
  readonly decision: string;
  readonly halted: boolean;
  /** Whether the proposal of the round is here. */
  readonly hasProposal: boolean;
  /** Of a re-proposal: whether its prepares are a quorum. */
  readonly isJustified: boolean | null;
  readonly votes: readonly string[];
  readonly timers: readonly string[];
  readonly signedVotes: readonly string[];
  readonly signedProposals: readonly string[];
  readonly accused: readonly string[];
}

/** A core that is driven by the events of a trace, with a journal and timers as its driver would keep them. */
export class ReplayedValidator {
  readonly #committee: Committee;
  readonly #self: number;
  readonly #journal: { messages: OwnMessage[]; lock: Lock | null } = { messages: [], lock: null };
  readonly #validBlocks = new Set<string>();
  readonly #timers = new Set<string>();
  readonly #accused = new Set<string>();
  #core: Core;
  #decision = NONE;
  #halted = false;

  constructor(committee: Committee, self: number) {
    this.#committee = committee;
    this.#self = self;
    this.#core = this.#start();
  }

  apply(event: ModelEvent): void {
    // Whoever has decided or halted does not come back to this height, and its timers do not matter.
    const isOver = this.#decision !== NONE || this.#halted;
    if (isOver && (event.tag === 'Restart' || event.tag === 'Expire')) return;
    if (event.tag === 'Restart') return this.#restart();
    if (event.tag === 'Expire') this.#timers.delete(timerName(event.value));
    if (event.tag === 'Expire' && event.value.kind === 'commit' && event.value.round === ROUND_LAST) return;
    if (event.tag === 'HearBlock' && VALID_BLOCKS.includes(event.value)) this.#validBlocks.add(event.value);
    if (event.tag === 'Built') this.#validBlocks.add(event.value.block);
    this.#step(this.#coreEvent(event));
  }

  observe(): Observation {
    const core = this.#core;
    const state = core.roundState();
    const { lock, messages } = this.#journal;
    return {
      working: core.working,
      round: core.round,
      step: core.currentStep,
      lock: {
        lockedRound: lock?.lockedRound ?? -1,
        locked: nameOf(lock?.lockedHash ?? null),
        validRound: lock?.validRound ?? -1,
        valid: nameOf(lock?.validHash ?? null),
      },
      decision: this.#decision,
      halted: this.#halted,
      hasProposal: state.hasProposal,
      isJustified: this.#isJustified(),
      votes: this.#votesHeld(),
      timers: [...this.#timers].sort(),
      signedVotes: messages.flatMap((message) => (message.kind === 'vote' ? [voteName(message.content)] : [])).sort(),
      signedProposals: messages
        .flatMap((message) => {
          if (message.kind === 'vote') return [];
          const { round, validRound, blockHash } = message.content;
          return [proposalName({ round, validRound, block: nameOf(blockHash) })];
        })
        .sort(),
      accused: [...this.#accused].sort(),
    };
  }

  #start(): Core {
    const { messages, lock } = this.#journal;
    return new Core({
      height: HEIGHT,
      committee: this.#committee,
      self: this.#self,
      timeouts: { proposeMs: 1000, prepareMs: 500, commitMs: 500, growthMs: 250 },
      time: { precisionMs: 500, delayMs: 1000, delayGrowthMs: 500 },
      restored: { messages: [...messages], lock },
    });
  }

  #restart(): void {
    this.#timers.clear();
    this.#core = this.#start();
    this.#carryOut();
    for (const block of this.#validBlocks) this.#step({ kind: 'block', blockHash: hashOf(block), valid: true });
  }

  #step(event: CoreEvent): void {
    this.#core.step(event);
    this.#carryOut();
  }

  #carryOut(): void {
    while (this.#core.hasReady()) {
      const ready: Ready = this.#core.takeReady();
      if (ready.lock !== null) this.#journal.lock = ready.lock;
      for (const request of ready.sign) this.#journal.messages.push(request);
      for (const { timeout } of ready.schedule) this.#timers.add(timerName(timeout));
      for (const { validator, first } of ready.equivocations) {
        this.#accused.add(`${validator} ${'kind' in first ? first.kind : 'proposal'} ${first.round}`);
      }
      if (ready.decide !== null) this.#decision = nameOf(ready.decide.certificate.blockHash);
      if (ready.fault !== null) this.#halted = true;
    }
  }

  #coreEvent(event: Exclude<ModelEvent, { readonly tag: 'Restart' }>): CoreEvent {
    switch (event.tag) {
      case 'HearVote':
        return { kind: 'vote', vote: this.#vote(event.value) };
      case 'HearProposal':
        return this.#proposal(event.value);
      case 'HearBlock':
        return { kind: 'block', blockHash: hashOf(event.value), valid: VALID_BLOCKS.includes(event.value) };
      case 'Built':
        return { kind: 'built', round: event.value.round, blockHash: hashOf(event.value.block) };
      case 'HearCertificate': {
        const { round, block } = event.value;
        const commits = this.#committee.validators.map((_, from) => this.#vote({ from, round, kind: 'commit', block }));
        return { kind: 'certificate', certificate: certificateFrom(commits) };
      }
      case 'Expire':
        return { kind: 'timeout', timeout: { ...event.value, height: HEIGHT } };
      case 'Work':
        return { kind: 'work' };
    }
  }

  /** Two reasons for which a first proposal is not acceptable, in turn: its block is too old, or somebody else's. */
  #proposal({ proposal, acceptable }: { readonly proposal: ModelProposal; readonly acceptable: boolean }): CoreEvent {
    const { round, block, validRound } = proposal;
    const proposer = this.#committee.proposer(HEIGHT, round);
    const isLate = round % 2 === 0;
    return {
      kind: 'proposal',
      proposal: { height: HEIGHT, round, validRound, blockHash: hashOf(block), proposer, signature: new Uint8Array(1) },
      header: {
        timeMs: acceptable || !isLate ? ARRIVAL_MS : ARRIVAL_MS - DAY_MS,
        proposer: acceptable || isLate ? proposer : (proposer + 1) % this.#committee.size,
      },
      arrivalMs: ARRIVAL_MS,
    };
  }

  #vote({ from, round, kind, block }: ModelVote): Vote {
    return { height: HEIGHT, round, kind, blockHash: hashes.get(block) ?? null, validator: from, signature: new Uint8Array(1) };
  }

  #isJustified(): boolean | null {
    const { round } = this.#core;
    const relayed = this.#core.proposalMissingAt({ ...this.#core.roundState(), round, hasProposal: false, step: 'propose' });
    if (relayed === null || relayed.proposal.validRound < 0) return null;
    return this.#committee.isQuorum(this.#committee.weightOf(relayed.justification.map((vote) => vote.validator)));
  }

  #votesHeld(): string[] {
    const held: string[] = [];
    for (const from of this.#committee.validators.keys()) {
      for (const round of ROUNDS) {
        for (const kind of KINDS) {
          for (const block of CHOICES) {
            if (this.#core.hasVote(this.#vote({ from, round, kind, block }))) held.push(`${from} ${kind} ${round} ${block}`);
          }
        }
      }
    }
    return held.sort();
  }
}

/** The same of a validator in the model. */
export function observeModel(validator: ModelValidator, isQuorum: (validators: readonly number[]) => boolean): Observation {
  const { working, round, step, lockedRound, locked, validRound, valid, decision, halted } = validator;
  const proposal = validator.proposals.find(([number]) => number === round)?.[1];
  return {
    working,
    round,
    step,
    lock: { lockedRound, locked, validRound, valid },
    decision,
    halted,
    hasProposal: proposal !== undefined,
    isJustified: proposal === undefined || proposal.validRound < 0 ? null : isQuorum(proposal.backers),
    votes: validator.votes.flatMap(([[kind, number], votes]) => votes.map(([from, block]) => `${from} ${kind} ${number} ${block}`)).sort(),
    timers: validator.timers.map(timerName).sort(),
    signedVotes: validator.signedVotes.map((vote) => `${vote.kind} ${vote.round} ${vote.block}`).sort(),
    signedProposals: validator.signedProposals.map(proposalName).sort(),
    accused: validator.accused.map((offence) => offence.join(' ')).sort(),
  };
}

function hashOf(block: string): Hash {
  const hash = hashes.get(block);
  if (!hash) throw new Error(`${block} is not a block of the model`);
  return hash;
}

function nameOf(hash: Hash | null): string {
  for (const [name, known] of hashes) if (hash === null ? known === null : known && Buffer.compare(known, hash) === 0) return name;
  throw new Error('a block that the model does not have');
}

function voteName({ kind, round, blockHash }: VoteContent): string {
  return `${kind} ${round} ${nameOf(blockHash)}`;
}

function proposalName({ round, block, validRound }: ModelProposal): string {
  return `${round} ${block} after ${validRound}`;
}

function timerName({ kind, round }: ModelTimer): string {
  return `${kind} ${round}`;
}
