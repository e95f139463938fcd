import { type Address, compareBytes, type Hash, type Log, type Signer, type Store, uint64Bytes, utf8, type Verifier } from '@nacre/base';
import { type Certificate, certificateFrom, VOTE_CONTEXT, type Vote, voteMessage } from '@nacre/consensus';
import { addressOf, type SignatureScheme } from '@nacre/crypto';
import {
  type Applied,
  buildTransaction,
  type Candidate,
  type ChainParameters,
  createGenesis,
  type Genesis,
  Ledger,
  type NewRecord,
  type Operation,
  type ServiceDefinition,
  type Transaction,
} from '@nacre/ledger';
import { FakeSigner, fakeVerifier } from './fake-keys.ts';
import { MemoryStore } from './memory-store.ts';

export const GENESIS_MS = 1_700_000_000_000;
/** Between the blocks that `decide` makes. */
const BLOCK_INTERVAL_MS = 1000;

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface TestKey {
  readonly signer: Signer;
  readonly address: Address;
}

interface TestChainOptions {
  readonly weights?: readonly number[];
  readonly parameters?: Partial<ChainParameters>;
  readonly store?: Store;
  readonly scheme?: SignatureScheme;
  readonly makeSigner?: (name: string) => Signer;
  readonly verifier?: Verifier;
}

/** One node's ledger, and the keys of all validators to decide blocks with. */
export class TestChain {
  readonly genesis: Genesis;
  /** In the order of the committee. */
  readonly validators: readonly TestKey[];
  readonly store: Store;
  readonly verifier: Verifier;
  ledger!: Ledger;
  readonly #makeSigner: (name: string) => Signer;
  #nonces = 0;

  private constructor(options: TestChainOptions) {
    const {
      weights = [1000, 1000, 1000, 1000],
      parameters = {},
      scheme = 'ml-dsa-44',
      makeSigner = (name) => new FakeSigner(name),
    } = options;
    this.#makeSigner = makeSigner;
    this.store = options.store ?? new MemoryStore();
    this.verifier = options.verifier ?? fakeVerifier;
    const signers = weights.map((_, index) => makeSigner(`validator ${index}`));
    const validators = signers.map(({ publicKey }, index) => ({ name: `v${index}`, publicKey, weight: weights[index] as number }));
    this.genesis = createGenesis({ network: 'test', timeMs: GENESIS_MS, scheme, validators, parameters });
    this.validators = signers
      .map((signer) => ({ signer, address: addressOf(scheme, signer.publicKey) }))
      .sort((a, b) => compareBytes(a.address, b.address));
  }

  static async create(options: TestChainOptions = {}): Promise<TestChain> {
    const chain = new TestChain(options);
    await chain.reopen();
    return chain;
  }

  /** A chain with an account `writer` and a service `prices` in which it owns and writes. */
  static async withService(options: TestChainOptions = {}): Promise<{ chain: TestChain; writer: TestKey }> {
    const chain = await TestChain.create(options);
    const writer = chain.key('writer');
    await chain.decide([await chain.transaction(chain.validator(0), [{ kind: 'account.create', publicKey: writer.signer.publicKey }])]);
    await chain.decide([await chain.transaction(writer, [{ kind: 'service.create', ...definition('prices', writer) }])]);
    return { chain, writer };
  }

  async reopen(): Promise<void> {
    const { genesis, store, verifier } = this;
    this.ledger = await Ledger.open({ genesis, store, verifier, log: silentLog });
  }

  key(name: string): TestKey {
    const signer = this.#makeSigner(name);
    return { signer, address: addressOf(this.genesis.scheme, signer.publicKey) };
  }

  validator(index: number): TestKey {
    return this.validators[index] as TestKey;
  }

  get nextTimeMs(): number {
    return this.ledger.tip.timeMs + BLOCK_INTERVAL_MS;
  }

  transaction(
    account: TestKey,
    operations: readonly Operation[],
    more: { validUntilMs?: number; nonce?: Uint8Array } = {},
  ): Promise<Transaction> {
    const { validUntilMs = this.nextTimeMs + 60_000, nonce = new Uint8Array([...uint64Bytes(++this.#nonces), ...new Uint8Array(8)]) } =
      more;
    return buildTransaction({ genesis: this.genesis, account: account.address, operations, validUntilMs, nonce, signer: account.signer });
  }

  append(writer: TestKey, records: readonly (string | readonly [key: string, text: string])[], service = 'prices'): Promise<Transaction> {
    return this.transaction(writer, [appendOf(service, records)]);
  }

  /** Commits of all, or some, of the validators for a block. */
  async certificate(
    candidate: Pick<Candidate, 'block' | 'blockHash'>,
    signers = this.validators.map((_, i) => i),
    round = 0,
  ): Promise<Certificate> {
    const { height } = candidate.block.header;
    return certificateFrom(
      await Promise.all(signers.map((validator) => this.commit({ height, round, blockHash: candidate.blockHash, validator }))),
    );
  }

  async commit(place: { height: number; round: number; blockHash: Hash; validator: number }): Promise<Vote> {
    const content = { height: place.height, round: place.round, kind: 'commit' as const, blockHash: place.blockHash };
    const signature = await this.validator(place.validator).signer.sign(voteMessage(this.genesis.context, content), VOTE_CONTEXT);
    return { ...content, validator: place.validator, signature };
  }

  propose(
    transactions: readonly Transaction[],
    more: { timeMs?: number; lateCommits?: readonly Vote[]; parentCertificate?: Certificate } = {},
  ) {
    const { timeMs = this.nextTimeMs, lateCommits = [], parentCertificate = this.ledger.tip.certificate } = more;
    return this.ledger.propose({ proposer: this.validator(0).address, timeMs, candidates: transactions, parentCertificate, lateCommits });
  }

  /** Proposes, decides with everyone's commits, and applies. */
  async decide(transactions: readonly Transaction[], timeMs = this.nextTimeMs): Promise<Applied> {
    const candidate = this.propose(transactions, { timeMs });
    return this.ledger.apply(candidate, await this.certificate(candidate));
  }
}

export function definition(name: string, owner: TestKey, more: Partial<ServiceDefinition> = {}): ServiceDefinition {
  const schemas = [{ name: 'price', version: 1 }];
  return { name, owners: [owner.address], writers: [owner.address], schemas, shard: 0, retentionMs: 0, ...more };
}

export function appendOf(service: string, records: readonly (string | readonly [key: string, text: string])[]): Operation {
  const list = records.map((record): NewRecord => {
    const [key, text] = typeof record === 'string' ? ['', record] : record;
    return { key, payload: utf8(text) };
  });
  return { kind: 'record.append', service, schema: 'price', schemaVersion: 1, mediaType: 'text/plain', records: list };
}
