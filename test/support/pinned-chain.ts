import { type Address, assert, type Log, type Signer, type Store, utf8, type Verifier } from '@nacre/base';
import { certificateFrom, type Equivocation, VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import { addressOf, portableSigner, sha256 } from '@nacre/crypto';
import { buildTransaction, createGenesis, type Genesis, Ledger, NONCE_BYTES, type Operation, type Transaction } from '@nacre/ledger';
import { prices } from './prices.ts';

const SCHEME = 'ml-dsa-44';
const SIGNATURE_BYTES = 2420;
const GENESIS_MS = 1_700_000_000_000;
const SERVICE = 'prices';

/** Real keys; signatures are the hash of what is signed, over and over, because real ones differ each time. */
function fixedSigner(name: number): Signer {
  const { publicKey } = portableSigner(SCHEME, new Uint8Array(32).fill(name));
  return {
    publicKey,
    sign: (message, context) => {
      const digest = sha256(new Uint8Array([name, ...utf8(context), ...message]));
      return Promise.resolve(Uint8Array.from({ length: SIGNATURE_BYTES }, (_, index) => digest[index % digest.length] as number));
    },
  };
}

/** Nothing is forged here: what is pinned are bytes. */
export const trustingVerifier: Verifier = { verify: () => Promise.resolve(true) };
const ignore = (): void => {};
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** A chain of three blocks of which every byte is the same in every run. */
export class PinnedChain {
  readonly genesis: Genesis;
  readonly ledger: Ledger;
  readonly #signers: readonly Signer[];
  #nonces = 0;

  private constructor(genesis: Genesis, ledger: Ledger, signers: readonly Signer[]) {
    this.genesis = genesis;
    this.ledger = ledger;
    this.#signers = signers;
  }

  /** An account and a service, then keyed and unkeyed records, one transaction that fails, and a recovery. */
  static async create(openStore: (genesis: Genesis) => Promise<Store>): Promise<PinnedChain> {
    const signers = [1, 2, 3, 4].map(fixedSigner);
    const validators = signers.map(({ publicKey }, index) => ({ name: `v${index}`, publicKey, weight: 1000 + index }));
    const genesis = createGenesis({ network: 'pinned', timeMs: GENESIS_MS, scheme: SCHEME, validators });
    const store = await openStore(genesis);
    const ledger = await Ledger.open({ genesis, store, verifier: trustingVerifier, log: silentLog });
    const chain = new PinnedChain(genesis, ledger, signers);
    const writer = fixedSigner(9);
    const address = addressOf(SCHEME, writer.publicKey);
    const definition = {
      name: SERVICE,
      owners: [address],
      writers: [address],
      schemas: [{ name: 'price', version: 1 }],
      shard: 0,
      retentionMs: 0,
    };
    await chain.#decide([await chain.transaction(signers[0] as Signer, [{ kind: 'account.create', publicKey: writer.publicKey }])]);
    await chain.#decide([await chain.transaction(writer, [{ kind: 'service.create', ...definition }])]);
    await chain.#decide([
      await chain.transaction(writer, [prices(SERVICE, ['first', ['low', '1'], ['high', '9'], ['low', '2']])]),
      await chain.transaction(writer, [{ kind: 'service.create', ...definition }]),
      await chain.transaction(signers[1] as Signer, [{ kind: 'validator.recover', nonce: new Uint8Array(NONCE_BYTES).fill(7) }]),
    ]);
    return chain;
  }

  transaction(signer: Signer, operations: readonly Operation[]): Promise<Transaction> {
    const { genesis } = this;
    const account = addressOf(SCHEME, signer.publicKey);
    const nonce = new Uint8Array(NONCE_BYTES).fill(++this.#nonces);
    return buildTransaction({ genesis, account, operations, validUntilMs: GENESIS_MS + 600_000, nonce, signer });
  }

  /** A transaction of the writer that no block holds yet. */
  pendingTransaction(): Promise<Transaction> {
    return this.transaction(fixedSigner(9), [prices(SERVICE, ['pending'])]);
  }

  /** A transaction of every operation about validators, keys and parameters; most of them would fail. */
  transactionAboutValidators(equivocations: readonly Equivocation[]): Promise<Transaction> {
    const { publicKey } = fixedSigner(11);
    const address = new Uint8Array(32).fill(1);
    const proofOfPossession = new Uint8Array(8).fill(2);
    return this.transaction(fixedSigner(9), [
      { kind: 'validator.join', address, publicKey, weight: 1000, proofOfPossession },
      { kind: 'validator.leave', address },
      { kind: 'validator.weight', address, weight: 1200 },
      { kind: 'validator.rehabilitate', address },
      { kind: 'parameters.change', name: 'epochMs', value: 60_000 },
      { kind: 'proposal.approve', id: address },
      { kind: 'key.rotate', publicKey, proofOfPossession },
      ...equivocations.map((equivocation) => ({ kind: 'evidence', equivocation }) as const),
    ]);
  }

  async #decide(transactions: readonly Transaction[]): Promise<void> {
    const { ledger, genesis } = this;
    const height = ledger.tip.height + 1;
    const proposer = genesis.committee.validators[0]?.address as Address;
    const request = { proposer, timeMs: GENESIS_MS + 1000 * height, candidates: transactions, lateCommits: [] };
    const candidate = ledger.propose({ ...request, parentCertificate: ledger.tip.certificate });
    assert(candidate.transactions.length === transactions.length, 'all of them fit');
    await ledger.saveCandidate(candidate);
    const content = { height, round: 0, kind: 'commit', blockHash: candidate.blockHash } as const;
    const commits = await Promise.all(
      [0, 1, 2].map(async (validator) => {
        const key = genesis.committee.validators[validator]?.publicKey as Uint8Array;
        const signer = this.#signers.find(({ publicKey }) => Buffer.compare(publicKey, key) === 0) as Signer;
        return { ...content, validator, signature: await signer.sign(voteMessage(genesis.context, content), VOTE_CONTEXT) };
      }),
    );
    await ledger.apply(candidate, certificateFrom(commits));
  }
}
