import { randomBytes } from 'node:crypto';
import { assert, compareBytes, type Log, type Signer, type Store } from '@nacre/base';
import { certificateFrom, VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import { addressOf, SCHEMES, SEED_BYTES } from '@nacre/crypto';
import { createSigner, createVerifier } from '@nacre/crypto/native';
import { buildTransaction, createGenesis, type Genesis, Ledger, NONCE_BYTES, type Operation } from '@nacre/ledger';

const SCHEME = 'ml-dsa-44';
const NO_SIGNATURE = new Uint8Array(SCHEMES[SCHEME].signatureBytes);
const VALIDATORS = 4;
const WEIGHT = 1000;
/** Between blocks, in ms of their own time. */
const INTERVAL_MS = 1000;
const VALID_MS = 60_000;
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

interface WriteOptions {
  /**
   * Blocks of which one has real commits and is synced; the others have as many bytes in their place, and nobody who syncs looks at those. The last
   * ones are real in any case. 1 by default: all of them are.
   */
  readonly signedEvery?: number;
  /** Called after each block. */
  readonly after?: (ledger: Ledger) => Promise<void>;
}

/** Last blocks whose commits are real, whatever is asked for: those that a start looks at. */
const SIGNED_LAST = 16;

/** A chain that four validators decided, without any of them running; each commit is really signed where that is not left out. */
export class DecidedChain {
  readonly genesis: Genesis;
  /** In the order of the committee. */
  readonly #signers: readonly Signer[];

  constructor(nowMs: number) {
    const signers = Array.from({ length: VALIDATORS }, () => createSigner(SCHEME, randomBytes(SEED_BYTES)));
    const address = ({ publicKey }: Signer) => addressOf(SCHEME, publicKey);
    this.#signers = signers.toSorted((a, b) => compareBytes(address(a), address(b)));
    const validators = signers.map(({ publicKey }, i) => ({ name: `v${i}`, publicKey, weight: WEIGHT }));
    this.genesis = createGenesis({ network: 'bench', timeMs: nowMs, scheme: SCHEME, validators, parameters: {} });
  }

  /** Writes `blocks` blocks into an empty store, each with one transaction of one record of 100 bytes. */
  async write(store: Store, blocks: number, { signedEvery = 1, after = async () => undefined }: WriteOptions = {}): Promise<void> {
    const { genesis } = this;
    const ledger = await Ledger.open({ genesis, store, verifier: createVerifier(SCHEME), log: SILENT });
    const [owner] = this.#signers as [Signer];
    const account = addressOf(SCHEME, owner.publicKey);
    const service = { name: 'bench', owners: [account], writers: [account], schemas: [{ name: 'bench', version: 1 }], shard: 0 };
    await this.#decide(ledger, { kind: 'service.create', ...service, retentionMs: 0 });
    const append = { kind: 'record.append', service: 'bench', schema: 'bench', schemaVersion: 1, mediaType: 'text/plain' } as const;
    for (let height = 2; height <= blocks; height++) {
      const isSigned = height % signedEvery === 0 || height > blocks - SIGNED_LAST;
      await this.#decide(ledger, { ...append, records: [{ key: '', payload: new Uint8Array(100).fill(height) }] }, isSigned);
      await after(ledger);
    }
  }

  async #decide(ledger: Ledger, operation: Operation, isSigned = true): Promise<void> {
    const { genesis } = this;
    const [signer] = this.#signers as [Signer];
    const account = addressOf(SCHEME, signer.publicKey);
    const timeMs = ledger.tip.timeMs + INTERVAL_MS;
    const signed = { genesis, account, operations: [operation], validUntilMs: timeMs + VALID_MS, nonce: randomBytes(NONCE_BYTES), signer };
    const transaction = await buildTransaction(signed);
    const parentCertificate = ledger.tip.certificate;
    const candidate = ledger.propose({ proposer: account, timeMs, candidates: [transaction], parentCertificate, lateCommits: [] });
    assert(candidate.transactions.length === 1, 'the block holds the transaction');
    if (isSigned) await ledger.saveCandidate(candidate);
    const content = { height: ledger.tip.height + 1, round: 0, kind: 'commit', blockHash: candidate.blockHash } as const;
    const message = voteMessage(genesis.context, content);
    const commits = this.#signers.map(async (each, validator) => ({
      ...content,
      validator,
      signature: isSigned ? await each.sign(message, VOTE_CONTEXT) : NO_SIGNATURE,
    }));
    await ledger.apply(candidate, certificateFrom(await Promise.all(commits)));
  }
}
