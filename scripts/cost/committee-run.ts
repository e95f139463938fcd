import { assert, type Hash, type Signer, type Verifier } from '@nacre/base';
import { type Certificate, CommitCollector, Committee, certificateDigest } from '@nacre/consensus';
import { sha256 } from '@nacre/crypto';
import { nativeSigner, nativeVerifier } from '@nacre/crypto/native';
import { Block, type Header, transactionsRoot } from '@nacre/ledger';
import { EventQueue } from './event-queue.ts';
import { Participant } from './participant.ts';
import type { UnitCosts } from './unit-costs.ts';

/** The first two heights fill the parent's certificate and the late commits; the last one is what a running chain costs. */
const HEIGHTS = 3;
/** How far back late commits are credited. */
const LATE_COMMIT_HEIGHTS = 8;
const SCHEME = 'ml-dsa-44';
const START_MS = 1_700_000_000_000;

export interface CommitteeRunOptions {
  readonly validators: number;
  readonly transactionsPerBlock: number;
  /** One way, in ms. */
  readonly distanceMs: (from: number, to: number) => number;
  /** What each validator can send, in bytes per ms. */
  readonly uplinkBytesPerMs: number;
  readonly costs: UnitCosts;
}

/** What one height costs, counted where it happened. */
export interface HeightFigures {
  readonly messages: number;
  readonly bytes: number;
  readonly proposalBytes: number;
  /** By all validators together. */
  readonly signatures: number;
  readonly verifications: number;
  /** From the proposal being built to half of the validators having decided, in ms of virtual time. */
  readonly latencyMs: number;
}

interface Tally {
  messages: number;
  bytes: number;
  proposalBytes: number;
  signatures: number;
  verifications: number;
}

/** One committee over a loss-free network in virtual time: real cores, frames, blocks and signatures, nothing else of a node. */
export class CommitteeRun {
  readonly options: CommitteeRunOptions;
  readonly committee: Committee;
  readonly context = { genesisHash: sha256(new Uint8Array([1])), chain: 0 };
  readonly queue = new EventQueue();
  readonly participants: readonly Participant[];
  readonly signers: readonly Signer[];
  readonly #verifier: Verifier = nativeVerifier(SCHEME);
  readonly #tally = new Map<number, Tally>();
  readonly #builtMs = new Map<number, number>();
  readonly #decidedMs = new Map<number, number[]>();

  constructor(options: CommitteeRunOptions) {
    this.options = options;
    const signers = Array.from({ length: options.validators }, (_, index) => nativeSigner(SCHEME, new Uint8Array(32).fill(index)));
    const created = Committee.create(signers.map(({ publicKey }) => ({ address: sha256(publicKey), publicKey, weight: 1000 })));
    assert(created.ok, 'equal weights of four or more are a committee');
    this.committee = created.value;
    this.signers = this.committee.validators.map(({ publicKey }) => signers.find((one) => one.publicKey === publicKey) as Signer);
    const collectors = this.signers.map(() => new CommitCollector(LATE_COMMIT_HEIGHTS));
    this.participants = collectors.map((collector, index) => new Participant(this, { index, collector }));
  }

  /** @returns the figures of the last of a few heights */
  async run(): Promise<HeightFigures> {
    for (const participant of this.participants) this.queue.at(0, () => participant.begin(1, null, 0));
    await this.queue.run();
    const decided = (this.#decidedMs.get(HEIGHTS) ?? []).toSorted((a, b) => a - b);
    assert(decided.length === this.options.validators, 'without losses everyone decides');
    const half = decided[Math.floor(decided.length / 2)] as number;
    return { ...this.tally(HEIGHTS), latencyMs: half - (this.#builtMs.get(HEIGHTS) as number) };
  }

  tally(height: number): Tally {
    const known = this.#tally.get(height) ?? { messages: 0, bytes: 0, proposalBytes: 0, signatures: 0, verifications: 0 };
    this.#tally.set(height, known);
    return known;
  }

  get lastHeight(): number {
    return HEIGHTS;
  }

  decided(height: number, atMs: number): void {
    this.#decidedMs.set(height, [...(this.#decidedMs.get(height) ?? []), atMs]);
  }

  /** Counted for the height that caused it. */
  verifierFor(height: number): Verifier {
    return {
      verify: (signed) => {
        this.tally(height).verifications++;
        return this.#verifier.verify(signed);
      },
    };
  }

  /** A block of that many bodies, none of which is executed here. */
  build(
    height: number,
    proposer: number,
    { parent, collector, atMs }: { readonly parent: Certificate | null; readonly collector: CommitCollector; readonly atMs: number },
  ): Block {
    this.#builtMs.set(height, atMs);
    const bodyHashes = Array.from({ length: this.options.transactionsPerBlock }, (_, index) =>
      sha256(new Uint8Array([height, index & 255, index >> 8])),
    );
    const late = collector.lateCommits(height, (of, validator) => this.#isCredited(of, validator));
    const parentCertificate = parent === null ? null : collector.parentCertificate(parent.height);
    for (const { validator } of parentCertificate?.commits ?? []) this.#credited.add(`${height - 1}/${validator}`);
    for (const vote of late) this.#credited.add(`${vote.height}/${vote.validator}`);
    const heights = [...new Set(late.map((vote) => vote.height))];
    const header: Header = {
      genesisHash: this.context.genesisHash,
      chain: this.context.chain,
      epoch: 0,
      height,
      timeMs: START_MS + height,
      proposer: this.committee.validator(proposer).address,
      parentHash: parent?.blockHash ?? this.context.genesisHash,
      parentCertificateDigest: parentCertificate === null ? new Uint8Array(32) : certificateDigest(parentCertificate),
      transactionsRoot: transactionsRoot(bodyHashes),
      stateRoot: EMPTY,
      committeeHash: this.committee.hash,
      nextCommitteeHash: this.committee.hash,
      historyRoot: EMPTY,
      chain0Reference: { height: 0, hash: new Uint8Array(32) },
      lateCommits: heights.map((of) => ({
        height: of,
        validators: late.filter((vote) => vote.height === of).map(({ validator }) => validator),
      })),
    };
    return Block.assemble({ header, bodyHashes, parentCertificate, lateCommits: late });
  }

  readonly #credited = new Set<string>();

  #isCredited(height: number, validator: number): boolean {
    return this.#credited.has(`${height}/${validator}`);
  }
}

const EMPTY: Hash = sha256(new Uint8Array(0));
