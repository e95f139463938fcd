import { type Address, assert, toHex, uint64Bytes } from '@nacre/base';
import {
  type Certificate,
  certificateFrom,
  type Equivocation,
  equivocationOf,
  PROPOSAL_CONTEXT,
  proposalMessage,
  VOTE_CONTEXT,
  voteMessage,
} from '@nacre/consensus';
import { addressOf } from '@nacre/crypto';
import {
  buildTransaction,
  type Candidate,
  type ChainParameters,
  createGenesis,
  type Genesis,
  Ledger,
  type Operation,
  POSSESSION_CONTEXT,
  possessionMessage,
  proposalId,
  type SetChange,
  type Transaction,
} from '@nacre/ledger';
import { FakeSigner, fakeVerifier } from './fake-keys.ts';
import { MemoryStore } from './memory-store.ts';
import { GENESIS_MS, silentLog, type TestKey } from './test-chain.ts';

const SCHEME = 'ml-dsa-44';
/** Short epochs, and no late commits: what an epoch is judged by is all that was decided in it. */
const PARAMETERS = { epochMs: 1, epochBlocksMin: 3, lateCommitHeights: 1 };

interface EpochChainOptions {
  readonly weights?: readonly number[];
  readonly parameters?: Partial<ChainParameters>;
  readonly allowLargeWeights?: boolean;
}

/** A chain whose validators change: one ledger proposes, another one checks, and both must come to the same. */
export class EpochChain {
  readonly genesis: Genesis;
  /** In the order of the weights given. */
  readonly validators: readonly TestKey[];
  readonly store = new MemoryStore();
  ledger!: Ledger;
  follower!: Ledger;
  readonly #signers = new Map<string, FakeSigner>();
  #nonces = 0;

  private constructor({ weights = [1000, 1000, 1000, 1000], parameters = {}, allowLargeWeights = false }: EpochChainOptions) {
    this.validators = weights.map((_, index) => this.key(`validator ${index}`));
    this.genesis = createGenesis({
      network: 'test',
      timeMs: GENESIS_MS,
      scheme: SCHEME,
      validators: this.validators.map(({ signer }, index) => ({ publicKey: signer.publicKey, weight: weights[index] as number })),
      parameters: { ...PARAMETERS, ...parameters },
      allowLargeWeights,
    });
  }

  static async create(options: EpochChainOptions = {}): Promise<EpochChain> {
    const chain = new EpochChain(options);
    await chain.reopen();
    chain.follower = await Ledger.open({ genesis: chain.genesis, store: new MemoryStore(), verifier: fakeVerifier, log: silentLog });
    return chain;
  }

  async reopen(): Promise<void> {
    this.ledger = await Ledger.open({ genesis: this.genesis, store: this.store, verifier: fakeVerifier, log: silentLog });
  }

  /** A key by its name; its address is that of an account that has begun with it. */
  key(name: string): TestKey {
    const signer = new FakeSigner(name);
    this.#signers.set(toHex(signer.publicKey), signer);
    return { signer, address: addressOf(SCHEME, signer.publicKey) };
  }

  validator(index: number): TestKey {
    return this.validators[index] as TestKey;
  }

  get nextTimeMs(): number {
    return this.ledger.tip.timeMs + 1000;
  }

  /** That of the next block. */
  get epoch(): number {
    return this.ledger.epochOf(this.ledger.tip.height + 1)?.epoch as number;
  }

  /** Names and weights of the committee that decides the next block, by the order of `validators` and of the keys made later. */
  weights(): Record<string, number> {
    return this.weightsOf(this.ledger.committeeAt(this.ledger.tip.height + 1).validators);
  }

  weightsOf(validators: readonly { readonly address: Address; readonly weight: number }[]): Record<string, number> {
    const names = new Map(
      [...this.#signers.values()].map(({ publicKey, name }) => [toHex(addressOf(SCHEME, publicKey)), name.replace('validator ', 'v')]),
    );
    return Object.fromEntries(
      validators
        .map(({ address, weight }) => [names.get(toHex(address)) ?? toHex(address), weight] as const)
        .sort((a, b) => (a[0] < b[0] ? -1 : 1)),
    );
  }

  transaction(account: TestKey, operations: readonly Operation[], validUntilMs = this.nextTimeMs + 60_000): Promise<Transaction> {
    const nonce = new Uint8Array([...uint64Bytes(++this.#nonces), ...new Uint8Array(8)]);
    return buildTransaction({ genesis: this.genesis, account: account.address, operations, validUntilMs, nonce, signer: account.signer });
  }

  /** Commits of the committee, but for those of some. */
  async certificate(
    { block, blockHash }: Pick<Candidate, 'block' | 'blockHash'>,
    absent: readonly TestKey[] = [],
    round = 0,
  ): Promise<Certificate> {
    const { height } = block.header;
    const content = { height, round, kind: 'commit' as const, blockHash };
    const votes = [];
    for (const [validator, { address, publicKey }] of this.ledger.committeeAt(height).validators.entries()) {
      if (absent.some((one) => toHex(one.address) === toHex(address))) continue;
      const signature = await this.#signerOf(publicKey).sign(voteMessage(this.genesis.context, content), VOTE_CONTEXT);
      votes.push({ ...content, validator, signature });
    }
    return certificateFrom(votes);
  }

  propose(transactions: readonly Transaction[], timeMs = this.nextTimeMs) {
    const proposer = this.ledger.committeeAt(this.ledger.tip.height + 1).validator(0).address;
    const { certificate: parentCertificate } = this.ledger.tip;
    return this.ledger.propose({ proposer, timeMs, candidates: transactions, parentCertificate, lateCommits: [] });
  }

  /** Decides a block, which the other ledger checks as well. @returns how each transaction ended */
  async decide(
    transactions: readonly Transaction[] = [],
    { timeMs = this.nextTimeMs, absent = [], round = 0 }: { timeMs?: number; absent?: readonly TestKey[]; round?: number } = {},
  ): Promise<(string | null)[]> {
    const candidate = this.propose(transactions, timeMs);
    assert(candidate.transactions.length === transactions.length, 'every transaction is included');
    const verdicts = await this.follower.verifySignatures(candidate.transactions);
    assert(!verdicts.includes(false), 'every signature holds');
    const checked = this.follower.check(candidate.block, candidate.transactions);
    assert(checked.ok, `the other ledger refuses the block: ${checked.ok ? '' : checked.error.code}`);
    const certificate = await this.certificate(candidate, absent, round);
    const { statuses } = await this.ledger.apply(candidate, certificate);
    await this.follower.apply(checked.value, certificate);
    return statuses.map((status) => (status.status === 'failed' ? status.reason.code : null));
  }

  /** One transaction in a block of its own. @returns why it failed, or null */
  async run(account: TestKey, ...operations: readonly Operation[]): Promise<string | null> {
    const [outcome] = await this.decide([await this.transaction(account, operations)]);
    return outcome as string | null;
  }

  /** Goes on to the first block of an epoch. */
  async enter(epoch: number, options: { absent?: readonly TestKey[]; round?: number } = {}): Promise<void> {
    while (this.epoch < epoch) await this.decide([], options);
  }

  /** The operation that proposes a change. */
  async proposing(change: SetChange): Promise<Operation> {
    if (change.kind !== 'validator.join') return change;
    return { ...change, proofOfPossession: await this.possession(change.publicKey, change.address, 'join') };
  }

  possession(publicKey: Uint8Array, address: Address, purpose: 'join' | 'rotate'): Promise<Uint8Array> {
    return this.#signerOf(publicKey).sign(possessionMessage(this.genesis.context, address, purpose), POSSESSION_CONTEXT);
  }

  /** Has some validators decide about a change in one block: the first proposes it, the others approve. @returns the first failure, or null */
  async decideChange(change: SetChange, by: readonly TestKey[] = this.validators): Promise<string | null> {
    const [proposer, ...others] = by;
    const proposal = await this.transaction(proposer as TestKey, [await this.proposing(change)]);
    const id = proposalId(proposal.txId, 0);
    const approvals = await Promise.all(others.map((one) => this.transaction(one, [{ kind: 'proposal.approve', id }])));
    const outcomes = await this.decide([proposal, ...approvals]);
    // Whoever approves what the others have decided already has said nothing wrong.
    return outcomes.find((outcome) => outcome !== null && outcome !== 'PROPOSAL_DECIDED') ?? null;
  }

  async rotation(account: TestKey, next: TestKey): Promise<Operation> {
    const { publicKey } = next.signer;
    return { kind: 'key.rotate', publicKey, proofOfPossession: await this.possession(publicKey, account.address, 'rotate') };
  }

  /** Two votes, or two proposals, of a validator at one place. */
  async equivocation(
    by: TestKey,
    { height, round = 0, kind = 'commit' }: { height: number; round?: number; kind?: 'prepare' | 'commit' | 'proposal' },
  ): Promise<Equivocation> {
    const validator = this.ledger.committeeAt(height).indexOf(by.address);
    assert(validator !== null, 'it is in the committee of that height');
    const signer = this.#signerOf(this.ledger.committeeAt(height).validator(validator).publicKey);
    const blockHashes = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)] as const;
    const signed = await Promise.all(
      blockHashes.map(async (blockHash) => {
        if (kind === 'proposal') {
          const content = { height, round, validRound: -1, blockHash };
          const signature = await signer.sign(proposalMessage(this.genesis.context, content), PROPOSAL_CONTEXT);
          return { ...content, proposer: validator, signature };
        }
        const content = { height, round, kind, blockHash };
        return { ...content, validator, signature: await signer.sign(voteMessage(this.genesis.context, content), VOTE_CONTEXT) };
      }),
    );
    const [first, second] = signed;
    const equivocation = first && second && equivocationOf(first, second);
    assert(equivocation, 'the two differ');
    return equivocation;
  }

  #signerOf(publicKey: Uint8Array): FakeSigner {
    const signer = this.#signers.get(toHex(publicKey));
    assert(signer !== undefined, 'the key was made here');
    return signer;
  }
}
