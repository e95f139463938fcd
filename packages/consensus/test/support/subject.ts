import type { Hash } from '@nacre/base';
import {
  Core,
  type CoreEvent,
  type CoreOptions,
  certificateFrom,
  type Lock,
  type Ready,
  type SignRequest,
  type Timeout,
  type Vote,
  type VoteContent,
  type VoteKind,
} from '@nacre/consensus';
import { block, HEIGHT, optionsOf, proposalOf, voteOf } from './fixtures.ts';

/** When proposals arrive unless a test says otherwise, ms. */
export const ARRIVAL_MS = 1_000_000;

interface ProposalOptions {
  readonly validRound?: number;
  readonly timeMs?: number;
  readonly headerProposer?: number | null;
}

/** One core under test, and everything that it asked for. Among four of weight 1 unless told otherwise, and validator 3. */
export class Subject {
  readonly core: Core;
  readonly options: CoreOptions;
  /** Everything asked for so far. */
  readonly all: { sign: SignRequest[]; locks: Lock[]; schedule: Ready['schedule'][number][]; builds: number[]; wanted: Hash[] };
  readonly readies: Ready[] = [];

  constructor(overrides: Partial<CoreOptions> = {}) {
    this.options = optionsOf(overrides);
    this.core = new Core(this.options);
    this.all = { sign: [], locks: [], schedule: [], builds: [], wanted: [] };
    this.#collect();
  }

  step(event: CoreEvent): this {
    this.core.step(event);
    return this.#collect();
  }

  work(): this {
    return this.step({ kind: 'work' });
  }

  /** The proposal of the round's proposer. */
  proposal(round: number, blockHash: Hash, options: ProposalOptions = {}): this {
    const proposal = proposalOf(this.options.committee, { round, blockHash, validRound: options.validRound ?? -1 });
    const header = {
      timeMs: options.timeMs ?? ARRIVAL_MS,
      proposer: options.headerProposer === undefined ? proposal.proposer : options.headerProposer,
    };
    return this.step({ kind: 'proposal', proposal, header, arrivalMs: ARRIVAL_MS });
  }

  block(blockHash: Hash, valid = true): this {
    return this.step({ kind: 'block', blockHash, valid });
  }

  prepares(round: number, blockHash: Hash | null, ...validators: number[]): this {
    return this.votes('prepare', round, blockHash, ...validators);
  }

  commits(round: number, blockHash: Hash | null, ...validators: number[]): this {
    return this.votes('commit', round, blockHash, ...validators);
  }

  votes(kind: VoteKind, round: number, blockHash: Hash | null, ...validators: number[]): this {
    for (const validator of validators) this.step({ kind: 'vote', vote: this.vote(kind, round, blockHash, validator) });
    return this;
  }

  vote(kind: VoteKind, round: number, blockHash: Hash | null, validator: number): Vote {
    return voteOf(this.options.committee, validator, { round, kind }, blockHash);
  }

  certificate(round: number, blockHash: Hash, ...validators: number[]): this {
    const certificate = certificateFrom(validators.map((validator) => this.vote('commit', round, blockHash, validator)));
    return this.step({ kind: 'certificate', certificate });
  }

  timeout(kind: Timeout['kind'], round: number, height = HEIGHT): this {
    return this.step({ kind: 'timeout', timeout: { kind, height, round } });
  }

  /** Contents of the votes asked for so far. */
  get voted(): VoteContent[] {
    return this.all.sign.flatMap((request) => (request.kind === 'vote' ? [request.content] : []));
  }

  get proposed(): Extract<SignRequest, { kind: 'proposal' }>[] {
    return this.all.sign.filter((request) => request.kind === 'proposal');
  }

  get lastVote(): VoteContent | undefined {
    return this.voted.at(-1);
  }

  get decisions(): NonNullable<Ready['decide']>[] {
    return this.readies.flatMap(({ decide }) => (decide === null ? [] : [decide]));
  }

  get accused(): Ready['equivocations'][number][] {
    return this.readies.flatMap(({ equivocations }) => equivocations);
  }

  get faults(): NonNullable<Ready['fault']>[] {
    return this.readies.flatMap(({ fault }) => (fault === null ? [] : [fault]));
  }

  scheduled(kind: Timeout['kind'], round: number): number[] {
    return this.all.schedule.filter(({ timeout }) => timeout.kind === kind && timeout.round === round).map(({ delayMs }) => delayMs);
  }

  #collect(): this {
    const ready = this.core.takeReady();
    this.readies.push(ready);
    this.all.sign.push(...ready.sign);
    this.all.schedule.push(...ready.schedule);
    this.all.wanted.push(...ready.wanted);
    if (ready.lock !== null) this.all.locks.push(ready.lock);
    if (ready.build !== null) this.all.builds.push(ready.build.round);
    return this;
  }
}

export function voteContent(kind: VoteKind, round: number, blockHash: Hash | null): VoteContent {
  return { height: HEIGHT, round, kind, blockHash };
}

/** In round 0, at step commit, locked on A. */
export function lockedOnA(): Subject {
  const A = block('A');
  return new Subject().work().block(A).proposal(0, A).prepares(0, A, 0, 1, 2);
}

/** As `lockedOnA`, and then in `round`, at step propose. */
export function lockedOnAIn(round: number): Subject {
  const subject = lockedOnA();
  for (let r = 0; r < round; r++) subject.commits(r, null, 0, 1, 2).timeout('commit', r);
  return subject;
}
