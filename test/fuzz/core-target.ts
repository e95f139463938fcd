import { assert, bytesEqual, type Hash, ROUND_MAX, toHex, utf8, VOTES_PER_REPAIR_MAX } from '@nacre/base';
import {
  Committee,
  Core,
  type CoreEvent,
  certificateFrom,
  checkCertificate,
  equivocationOf,
  type Lock,
  type OwnMessage,
  type Proposal,
  type Ready,
  ROUND_STATE_SETS_MAX,
  roundStateCodec,
  type Vote,
  type VoteKind,
} from '@nacre/consensus';
import { sha256 } from '@nacre/crypto';
import type { FuzzTarget } from './fuzzer.ts';

const HEIGHT = 20;
const SELF = 2;
const WEIGHTS = [3, 3, 2, 1, 1];
const ARRIVAL_MS = 1_000_000;
const SIGNATURE = new Uint8Array(1);
const BLOCKS = ['A', 'B', 'C', 'invalid'].map((name) => sha256(utf8(name)));
/** Bytes of one event. */
const EVENT_BYTES = 4;
/** Proposals, stray prepares and the lock can each name a block of their own; so many blocks there are not. */
const MISSING_MAX = BLOCKS.length;
/** The rounds that are in reach of one another, and some that are not. */
const ROUNDS = [0, 1, 2, 3, 4, 5, 8, 9, 10, 17, 40, 1000, ROUND_MAX - 1, ROUND_MAX];
const KINDS: readonly VoteKind[] = ['prepare', 'commit'];

/**
 * The core as a decoder of events: four bytes each, and whatever they say is done, within what the driver owes the core
 * (verified certificates, one verdict per block, own votes only after they were asked for).
 */
export const coreTarget: FuzzTarget = {
  name: 'Core',
  seeds: [
    // Work, the others' proposal with its block, prepares and commits of all.
    Uint8Array.from([
      0,
      0,
      0,
      0,
      3,
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      ...[0, 1, 2, 3].flatMap((from) => [2, from, 0, 0]),
      ...[0, 1, 2, 3].flatMap((from) => [2, from, 0, 16]),
    ]),
    // A jump to the round that is ours to propose, and two blocks built for it.
    Uint8Array.from([0, 0, 0, 0, 2, 0, 2, 4, 2, 1, 2, 4, 4, 0, 2, 0, 4, 0, 2, 1]),
    // Timeouts through three rounds, and a restart.
    Uint8Array.from([
      0,
      0,
      0,
      0,
      ...[0, 1, 2].flatMap((round) => [
        ...[0, 1, 2].flatMap((kind) => [5, kind, round, 0]),
        ...[0, 1, 3].flatMap((from) => [2, from, round, 4]),
      ]),
      7,
      0,
      0,
      0,
    ]),
  ],
  run: (input) => {
    const driver = new CheckedDriver();
    for (let at = 0; at + EVENT_BYTES <= input.length; at += EVENT_BYTES) driver.take(input.subarray(at, at + EVENT_BYTES));
    return driver.decided;
  },
};

function committeeOf(weights: readonly number[]): Committee {
  const created = Committee.create(
    weights.map((weight, i) => ({ address: new Uint8Array(32).fill(i), publicKey: new Uint8Array(4).fill(i), weight })),
  );
  assert(created.ok, 'the committee of the fuzzer is valid');
  return created.value;
}

const COMMITTEE = committeeOf(WEIGHTS);

/** Drives one core, keeps its journal, and judges everything that it asks for. */
class CheckedDriver {
  #core: Core;
  #messages: OwnMessage[] = [];
  #lock: Lock | null = null;
  readonly #signed = new Set<string>();
  readonly #here = new Set<string>();
  #faulty = false;
  decided = false;

  constructor() {
    this.#core = this.#start();
  }

  #start(): Core {
    return new Core({
      height: HEIGHT,
      committee: COMMITTEE,
      self: SELF,
      timeouts: { proposeMs: 1000, prepareMs: 500, commitMs: 500, growthMs: 250 },
      time: { precisionMs: 500, delayMs: 1000, delayGrowthMs: 500 },
      restored: { messages: [...this.#messages], lock: this.#lock },
    });
  }

  take([kind = 0, who = 0, when = 0, what = 0]: Uint8Array): void {
    const round = ROUNDS[when % ROUNDS.length] as number;
    const blockHash = BLOCKS[what % BLOCKS.length] as Hash;
    const validator = who % WEIGHTS.length;
    switch (kind % 8) {
      case 0:
        return this.#step({ kind: 'work' });
      case 1:
        return this.#block(blockHash);
      case 2:
        return this.#vote({
          height: HEIGHT,
          round,
          kind: KINDS[(what >> 4) % 2] as VoteKind,
          blockHash: (what & 4) === 4 ? null : blockHash,
          validator,
          signature: SIGNATURE,
        });
      case 3:
        return this.#proposal(round, blockHash, { who, what });
      case 4:
        this.#here.add(toHex(blockHash));
        return blockHash === BLOCKS[3] ? undefined : this.#step({ kind: 'built', round, blockHash });
      case 5:
        return this.#step({
          kind: 'timeout',
          timeout: {
            kind: (['propose', ...KINDS] as const)[who % 3] as 'propose',
            height: HEIGHT + (what % 16 === 15 ? 1 : 0),
            round: what % 2 === 0 ? this.#core.round : round,
          },
        });
      case 6:
        return this.#certificate(round, blockHash, who);
      default:
        return this.#restart();
    }
  }

  #block(blockHash: Hash): void {
    const valid = blockHash !== BLOCKS[3];
    if (valid) this.#here.add(toHex(blockHash));
    this.#step({ kind: 'block', blockHash, valid });
  }

  /** Nobody can forge an own vote: those come back only once they were asked for. */
  #vote(vote: Vote): void {
    const isOwn = vote.validator === SELF;
    if (isOwn && !this.#signed.has(placeAndChoice(vote))) return;
    this.#step({ kind: 'vote', vote });
  }

  #proposal(round: number, blockHash: Hash, { who, what }: { readonly who: number; readonly what: number }): void {
    const proposer = who % 8 === 7 ? who % WEIGHTS.length : COMMITTEE.proposer(HEIGHT, round);
    const validRound = what >> 4 === 0 ? -1 : (ROUNDS[(what >> 4) % ROUNDS.length] as number);
    if (proposer === SELF && !this.#signed.has(proposalName({ round, validRound, blockHash }))) return;
    const header = { timeMs: (what & 8) === 8 ? 0 : ARRIVAL_MS, proposer: (who & 64) === 64 ? null : proposer };
    const proposal = { height: HEIGHT, round, validRound, blockHash, proposer, signature: SIGNATURE };
    this.#step({ kind: 'proposal', proposal, header, arrivalMs: ARRIVAL_MS });
  }

  #certificate(round: number, blockHash: Hash, signers: number): void {
    const votes = [...WEIGHTS.keys()]
      .filter((validator) => ((signers >> validator) & 1) === 1)
      .map((validator) => ({ height: HEIGHT, round, kind: 'commit' as const, blockHash, validator, signature: SIGNATURE }));
    if (votes.length === 0) return;
    const certificate = certificateFrom(votes);
    if (checkCertificate(COMMITTEE, certificate).ok) this.#step({ kind: 'certificate', certificate });
  }

  #restart(): void {
    if (this.decided || this.#faulty) return;
    this.#core = this.#start();
    this.#carryOut();
    for (const blockHash of BLOCKS) if (this.#here.has(toHex(blockHash)) && blockHash !== BLOCKS[3]) this.#block(blockHash);
  }

  #step(event: CoreEvent): void {
    this.#core.step(event);
    this.#carryOut();
    this.#checkBounds();
  }

  #carryOut(): void {
    if (!this.#core.hasReady()) return;
    const ready = this.#core.takeReady();
    assert(!this.#faulty, 'whoever has stopped asks for nothing');
    if (ready.lock !== null) this.#checkLock(ready.lock);
    for (const request of ready.sign) this.#checkSign(request);
    for (const { timeout, delayMs } of ready.schedule) {
      assert(Number.isSafeInteger(delayMs) && delayMs > 0 && timeout.height === HEIGHT, 'a timeout is ahead, and of this height');
    }
    assert(new Set(ready.wanted.map(toHex)).size === ready.wanted.length, 'each block is wanted once');
    assert(ready.build === null || COMMITTEE.proposer(HEIGHT, ready.build.round) === SELF, 'only the proposer builds');
    this.#checkEquivocations(ready.equivocations);
    if (ready.decide !== null) this.#checkDecision(ready.decide);
    if (ready.fault !== null) this.#faulty = true;
    assert(!this.#core.hasReady(), 'what was taken is gone');
  }

  #checkSign({ kind, content }: Ready['sign'][number]): void {
    const place = `${kind === 'vote' ? content.kind : 'proposal'} ${content.round}`;
    assert(!this.#signed.has(place), `a second ${place}`);
    assert(content.height === HEIGHT && content.round <= ROUND_MAX && !this.decided, 'signed for this height, until it is decided');
    this.#signed.add(place);
    if (kind === 'vote') {
      this.#signed.add(placeAndChoice({ ...content, validator: SELF, signature: SIGNATURE }));
      if (content.blockHash !== null)
        assert(this.#here.has(toHex(content.blockHash)) && content.blockHash !== BLOCKS[3], 'votes are for valid blocks that are here');
      this.#messages.push({ kind, content });
    } else {
      assert(COMMITTEE.proposer(HEIGHT, content.round) === SELF, 'only the proposer proposes');
      this.#signed.add(proposalName(content));
      this.#messages.push({ kind, content });
    }
  }

  #checkLock(lock: Lock): void {
    const { lockedRound, lockedHash, validRound, validHash, prepares } = lock;
    assert((lockedRound === -1) === (lockedHash === null) && lockedRound <= validRound, 'a lock is whole');
    assert(lockedRound >= (this.#lock?.lockedRound ?? -1) && validRound >= (this.#lock?.validRound ?? -1), 'locks never go back');
    const voters = new Set(prepares.map(({ validator }) => validator));
    assert(voters.size === prepares.length && COMMITTEE.isQuorum(COMMITTEE.weightOf(voters)), 'a lock stands on a quorum');
    for (const vote of prepares) {
      assert(
        vote.kind === 'prepare' && vote.round === validRound && vote.blockHash !== null && bytesEqual(vote.blockHash, validHash),
        'of prepares for its block',
      );
    }
    this.#lock = lock;
  }

  #checkEquivocations(equivocations: Ready['equivocations']): void {
    for (const { validator, first, second } of equivocations) {
      assert(validator !== SELF && equivocationOf(first, second)?.first === first, 'an offence is one, in its one form, and not ours');
    }
  }

  #checkDecision({ certificate }: NonNullable<Ready['decide']>): void {
    assert(!this.decided && checkCertificate(COMMITTEE, certificate).ok, 'decided once, by a quorum');
    assert(this.#here.has(toHex(certificate.blockHash)), 'with the valid block');
    this.decided = true;
  }

  #checkBounds(): void {
    const state = this.#core.roundState();
    assert(
      state.votes.length <= ROUND_STATE_SETS_MAX && roundStateCodec.decode(roundStateCodec.encode(state)).ok,
      'a round state can be sent',
    );
    assert(this.#core.missingBlocks().length <= MISSING_MAX, 'no more blocks are missing than there are');
    assert(this.#core.votesMissingAt({ ...state, round: 0, votes: [] }).length <= VOTES_PER_REPAIR_MAX, 'an answer is bounded');
  }
}

function placeAndChoice({ kind, round, blockHash }: Vote): string {
  return `${kind} ${round} for ${blockHash === null ? 'none' : toHex(blockHash)}`;
}

function proposalName({ round, validRound, blockHash }: Pick<Proposal, 'round' | 'validRound' | 'blockHash'>): string {
  return `proposal ${round} of ${toHex(blockHash)} after ${validRound}`;
}
