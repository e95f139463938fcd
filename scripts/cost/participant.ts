import { assert } from '@nacre/base';
import {
  type Certificate,
  type CommitCollector,
  Core,
  PROPOSAL_CONTEXT,
  type Proposal,
  proposalMessage,
  type SignRequest,
  VOTE_CONTEXT,
  type Vote,
  verifyCertificate,
  voteMessage,
} from '@nacre/consensus';
import { createCachingVerifier } from '@nacre/crypto';
import { type Block, decodeBlock } from '@nacre/ledger';
import { decodeMessage, encodeMessage, type Message } from '@nacre/replica';
import type { CommitteeRun } from './committee-run.ts';

/** Far beyond what a height takes: nothing times out without losses. */
const TIMEOUT_MS = 3_600_000;
/** Remembered signatures: those of a few heights of the largest committee. */
const VERIFIED_MAX = 2000;
/** In front of every frame of the committee lane. */
const FRAME_LENGTH_BYTES = 4;

/** One validator: what a replica does for a height that goes well, in the same order, on one virtual core and one virtual disk. */
export class Participant {
  readonly #run: CommitteeRun;
  readonly #index: number;
  readonly #collector: CommitCollector;
  readonly #blocks = new Map<string, Block>();
  #height = 0;
  #parent: Certificate | null = null;
  #core: Core | null = null;
  #early: { readonly height: number; readonly frame: Uint8Array }[] = [];
  #cpuFreeMs = 0;
  #uplinkFreeMs = 0;

  constructor(run: CommitteeRun, { index, collector }: { readonly index: number; readonly collector: CommitCollector }) {
    this.#run = run;
    this.#index = index;
    this.#collector = collector;
  }

  async begin(height: number, parent: Certificate | null, atMs: number): Promise<void> {
    this.#height = height;
    this.#parent = parent;
    this.#core = new Core({
      height,
      committee: this.#run.committee,
      self: this.#index,
      timeouts: { proposeMs: TIMEOUT_MS, prepareMs: TIMEOUT_MS, commitMs: TIMEOUT_MS, growthMs: 0 },
      time: { precisionMs: TIMEOUT_MS, delayMs: TIMEOUT_MS, delayGrowthMs: 0 },
    });
    this.#core.step({ kind: 'work' });
    await this.#carryOut(atMs);
    const early = this.#early;
    this.#early = [];
    for (const { height: of, frame } of early) await this.receive(of, frame, atMs);
  }

  /** A frame for a later height waits for it; commits that come after the decision are kept for the next block. */
  async receive(height: number, frame: Uint8Array, atMs: number): Promise<void> {
    if (height > this.#height) {
      this.#early.push({ height, frame });
      return;
    }
    const startMs = Math.max(atMs, this.#cpuFreeMs);
    const before = this.#run.tally(height).verifications;
    const decoded = decodeMessage(frame);
    assert(decoded.ok, 'honest frames decode');
    const { costs } = this.#run.options;
    this.#cpuFreeMs = startMs + costs.decodeVoteMs;
    await this.#take(height, decoded.value);
    this.#cpuFreeMs += (this.#run.tally(height).verifications - before) * costs.verifyMs;
    await this.#carryOut(this.#cpuFreeMs);
  }

  async #take(height: number, message: Message): Promise<void> {
    if (message.kind === 'votes') for (const vote of message.votes) await this.#takeVote(height, vote);
    if (message.kind === 'proposal' && height === this.#height) await this.#takeProposal(message.proposal, message.block);
  }

  async #takeVote(height: number, vote: Vote): Promise<void> {
    const isLate = height < this.#height || this.#core?.decided === true;
    if (isLate ? !this.#collector.wants(vote) : this.#core?.hasVote(vote)) return;
    const { committee, context } = this.#run;
    const { publicKey } = committee.validator(vote.validator);
    const signed = { publicKey, message: voteMessage(context, vote), context: VOTE_CONTEXT, signature: vote.signature };
    assert(await this.#verifier(height).verify(signed), 'honest votes verify');
    if (isLate) this.#collector.add(vote);
    else this.#core?.step({ kind: 'vote', vote });
  }

  async #takeProposal(proposal: Proposal, bytes: Uint8Array): Promise<void> {
    const { committee, context } = this.#run;
    const verifier = this.#verifier(proposal.height);
    const { publicKey } = committee.validator(proposal.proposer);
    const signed = { publicKey, message: proposalMessage(context, proposal), context: PROPOSAL_CONTEXT, signature: proposal.signature };
    assert(await verifier.verify(signed), 'honest proposals verify');
    const block = decodeBlock(bytes);
    assert(block.ok, 'honest blocks decode');
    const { parentCertificate: certificate, lateCommits } = block.value;
    if (certificate !== null)
      assert((await verifyCertificate({ committee, context, certificate, verifier })).ok, 'and their certificates verify');
    for (const { height, validator, round, signature } of lateCommits) {
      const message = voteMessage(context, { height, round, kind: 'commit', blockHash: this.#decidedHash(height) });
      const of = committee.validator(validator);
      assert(await verifier.verify({ publicKey: of.publicKey, message, context: VOTE_CONTEXT, signature }), 'and late commits');
    }
    const { header, hash } = block.value;
    this.#core?.step({
      kind: 'proposal',
      proposal,
      header: { timeMs: header.timeMs, proposer: proposal.proposer },
      arrivalMs: header.timeMs,
    });
    this.#core?.step({ kind: 'block', blockHash: hash, valid: true });
  }

  #decidedHash(height: number): Uint8Array {
    const certificate = this.#collector.parentCertificate(height);
    assert(certificate !== null, 'late commits are for decided heights');
    return certificate.blockHash;
  }

  /** Remembers what it found valid for one more height, as a node does. */
  #verifier(height: number): ReturnType<typeof createCachingVerifier> {
    this.#caching ??= createCachingVerifier(
      { verify: (signed) => this.#run.verifierFor(this.#countedFor).verify(signed) },
      { entriesMax: VERIFIED_MAX },
    );
    this.#countedFor = height;
    return this.#caching;
  }

  #caching: ReturnType<typeof createCachingVerifier> | null = null;
  #countedFor = 0;

  /** Sign, sync, send, and hand back: each after the other. */
  async #carryOut(atMs: number): Promise<void> {
    const core = this.#core;
    let nowMs = atMs;
    while (core?.hasReady()) {
      const { build, sign, decide } = core.takeReady();
      if (build !== null) {
        const block = this.#run.build(this.#height, this.#index, { parent: this.#parent, collector: this.#collector, atMs: nowMs });
        this.#blocks.set(Buffer.from(block.hash).toString('hex'), block);
        core.step({ kind: 'built', round: build.round, blockHash: block.hash });
      }
      if (sign.length > 0) nowMs = await this.#sign(core, sign, nowMs);
      if (decide !== null) this.#decided(decide.certificate, nowMs);
    }
    this.#cpuFreeMs = Math.max(this.#cpuFreeMs, nowMs);
  }

  async #sign(core: Core, requests: readonly SignRequest[], atMs: number): Promise<number> {
    const { costs } = this.#run.options;
    const signer = this.#run.signers[this.#index];
    assert(signer !== undefined, 'each participant has a key');
    const { context } = this.#run;
    let nowMs = atMs;
    for (const request of requests) {
      this.#run.tally(this.#height).signatures++;
      nowMs += costs.signMs + costs.syncMs;
      if (request.kind === 'vote') {
        const vote = {
          ...request.content,
          validator: this.#index,
          signature: await signer.sign(voteMessage(context, request.content), VOTE_CONTEXT),
        };
        this.#broadcast({ kind: 'votes', votes: [vote] }, nowMs);
        core.step({ kind: 'vote', vote });
      } else {
        const proposal = {
          ...request.content,
          proposer: this.#index,
          signature: await signer.sign(proposalMessage(context, request.content), PROPOSAL_CONTEXT),
        };
        const block = this.#blocks.get(Buffer.from(proposal.blockHash).toString('hex'));
        assert(block !== undefined, 'who proposes has built');
        this.#broadcast({ kind: 'proposal', proposal, block: block.bytes, justification: [] }, nowMs);
        const { timeMs } = block.header;
        core.step({ kind: 'proposal', proposal, header: { timeMs, proposer: this.#index }, arrivalMs: timeMs });
      }
    }
    return nowMs;
  }

  /** To everyone else, one after the other through the uplink. */
  #broadcast(message: Message, atMs: number): void {
    const { uplinkBytesPerMs, distanceMs } = this.#run.options;
    const frame = encodeMessage(message);
    const bytes = frame.length + FRAME_LENGTH_BYTES;
    const height = this.#height;
    const tally = this.#run.tally(height);
    if (message.kind === 'proposal') tally.proposalBytes = bytes;
    for (const [to, participant] of this.#run.participants.entries()) {
      if (to === this.#index) continue;
      tally.messages++;
      tally.bytes += bytes;
      this.#uplinkFreeMs = Math.max(this.#uplinkFreeMs, atMs) + bytes / uplinkBytesPerMs;
      const arrivalMs = this.#uplinkFreeMs + distanceMs(this.#index, to);
      this.#run.queue.at(arrivalMs, () => participant.receive(height, frame, arrivalMs));
    }
  }

  #decided(certificate: Certificate, atMs: number): void {
    this.#run.decided(certificate.height, atMs);
    this.#collector.decided(certificate.height, certificate);
    if (certificate.height < this.#run.lastHeight) this.#run.queue.at(atMs, () => this.begin(certificate.height + 1, certificate, atMs));
  }
}
