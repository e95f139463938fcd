import { assert, bytesEqual, compareBytes, type Hash, type Log, type Store, uint64Bytes, utf8 } from '@nacre/base';
import {
  type Certificate,
  type Committee,
  certificateFrom,
  PROPOSAL_CONTEXT,
  type Proposal,
  type ProposalContent,
  proposalMessage,
  VOTE_CONTEXT,
  type Vote,
  type VoteContent,
  voteMessage,
} from '@nacre/consensus';
import {
  type Block,
  buildTransaction,
  type Candidate,
  type ChainParameters,
  createGenesis,
  type Genesis,
  Ledger,
  type Operation,
  type Transaction,
} from '@nacre/ledger';
import { MemoryStore } from './memory-store.ts';
import { SCHEME, TestKey, testVerifier } from './test-keys.ts';

export const GENESIS_MS = 1_700_000_000_000;
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface Decided {
  readonly block: Block;
  readonly transactions: readonly Transaction[];
  readonly certificate: Certificate;
}

export interface ChainOptions {
  readonly weights?: readonly number[];
  readonly parameters?: Partial<ChainParameters>;
}

/** The chain as the test itself keeps it, with the keys of all validators: what honest peers would say of it, and what liars could. */
export class TestChain {
  readonly genesis: Genesis;
  /** In the order of the committee. */
  readonly keys: readonly TestKey[];
  readonly store = new MemoryStore();
  readonly decided: Decided[] = [];
  ledger!: Ledger;
  #nonces = 0;

  private constructor({ weights = [1000, 1000, 1000, 1000], parameters = {} }: ChainOptions) {
    const keys = weights.map((_, i) => new TestKey(`validator ${i}`));
    this.keys = [...keys].sort((a, b) => compareBytes(a.address, b.address));
    this.genesis = createGenesis({
      network: 'test',
      timeMs: GENESIS_MS,
      scheme: SCHEME,
      validators: keys.map(({ publicKey }, i) => ({ publicKey, weight: weights[i] as number })),
      parameters,
      allowLargeWeights: weights.length < 4,
    });
  }

  static async create(options: ChainOptions = {}): Promise<TestChain> {
    const chain = new TestChain(options);
    chain.ledger = await openLedger(chain.genesis, chain.store);
    return chain;
  }

  key(index: number): TestKey {
    const key = this.keys[index];
    assert(key !== undefined, `no validator ${index}`);
    return key;
  }

  proposer(height: number, round = 0): number {
    return this.#committeeAt(height).proposer(height, round);
  }

  /** The key of a place in the committee of a height; heights that nobody knows yet have that of genesis. */
  keyAt(height: number, place: number): TestKey {
    const { address } = this.#committeeAt(height).validator(place);
    const key = this.keys.find((one) => bytesEqual(one.address, address));
    assert(key !== undefined, 'validators only leave here');
    return key;
  }

  #committeeAt(height: number): Committee {
    return this.ledger.epochOf(height)?.committee ?? this.genesis.committee;
  }

  transaction(
    account: TestKey,
    operations: readonly Operation[],
    more: { validUntilMs?: number; nonce?: Uint8Array } = {},
  ): Promise<Transaction> {
    const nonce = more.nonce ?? new Uint8Array([...uint64Bytes(++this.#nonces), ...new Uint8Array(8)]);
    const validUntilMs = more.validUntilMs ?? this.ledger.tip.timeMs + 600_000;
    return buildTransaction({ genesis: this.genesis, account: account.address, operations, validUntilMs, nonce, signer: account.signer });
  }

  /** A transaction that any number of times succeeds: a new account, sponsored by a validator. */
  anyTransaction(sponsor = 0, more: { validUntilMs?: number; nonce?: Uint8Array } = {}): Promise<Transaction> {
    const { publicKey } = new TestKey(`account ${this.#nonces}`);
    return this.transaction(this.key(sponsor), [{ kind: 'account.create', publicKey }], more);
  }

  async vote(validator: number, content: VoteContent): Promise<Vote> {
    const signature = await this.keyAt(content.height, validator).sign(voteMessage(this.genesis.context, content), VOTE_CONTEXT);
    return { ...content, validator, signature };
  }

  async proposal(content: ProposalContent, proposer = this.proposer(content.height, content.round)): Promise<Proposal> {
    const signature = await this.keyAt(content.height, proposer).sign(proposalMessage(this.genesis.context, content), PROPOSAL_CONTEXT);
    return { ...content, proposer, signature };
  }

  /** Commits of some of the validators, all unless said otherwise. */
  async certificate(
    { height, blockHash, round = 0 }: { height: number; blockHash: Hash; round?: number },
    signers = [...this.#committeeAt(height).validators.keys()],
  ): Promise<Certificate> {
    return certificateFrom(
      await Promise.all(signers.map((validator) => this.vote(validator, { height, round, kind: 'commit', blockHash }))),
    );
  }

  /** The next block, not decided. */
  candidate(transactions: readonly Transaction[] = [], more: { timeMs?: number; round?: number } = {}): Candidate {
    const { tip } = this.ledger;
    const proposer = this.keyAt(tip.height + 1, this.proposer(tip.height + 1, more.round ?? 0)).address;
    const timeMs = more.timeMs ?? tip.timeMs + 1000;
    return this.ledger.propose({ proposer, timeMs, candidates: transactions, parentCertificate: tip.certificate, lateCommits: [] });
  }

  /** Decides and applies the next block. */
  async decide(transactions: readonly Transaction[] = [], timeMs?: number): Promise<Decided> {
    return this.adopt(this.candidate(transactions, timeMs === undefined ? {} : { timeMs }));
  }

  async adopt(candidate: Candidate): Promise<Decided> {
    const { block, transactions } = candidate;
    const certificate = await this.certificate({ height: block.header.height, blockHash: block.hash });
    await this.ledger.apply(candidate, certificate);
    const decided = { block, transactions, certificate };
    this.decided.push(decided);
    return decided;
  }
}

export function openLedger(genesis: Genesis, store: Store): Promise<Ledger> {
  return Ledger.open({ genesis, store, verifier: testVerifier, log: silentLog });
}

/** A writable service of the given account, for `record.append`. */
export function service(name: string, owner: TestKey): Operation {
  const schemas = [{ name: 'price', version: 1 }];
  return { kind: 'service.create', name, owners: [owner.address], writers: [owner.address], schemas, shard: 0, retentionMs: 0 };
}

export function append(name: string, payload: string | Uint8Array): Operation {
  const records = [{ key: '', payload: typeof payload === 'string' ? utf8(payload) : payload }];
  return { kind: 'record.append', service: name, schema: 'price', schemaVersion: 1, mediaType: 'text/plain', records };
}
