import { randomBytes } from 'node:crypto';
import { assert, compareBytes, type Log, type Signer, type Store } from '@nacre/base';
import { certificateFrom, VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import { addressOf, SCHEMES, SEED_BYTES } from '@nacre/crypto';
import { createSigner, createVerifier } from '@nacre/crypto/native';
import { buildTransaction, createGenesis, type Genesis, Ledger, NONCE_BYTES, type Operation, WriteBehindStore } from '@nacre/ledger';

const SCHEME = 'ml-dsa-44';
const NO_SIGNATURE = new Uint8Array(SCHEMES[SCHEME].signatureBytes);
const VALIDATORS_DEFAULT = 4;
const WEIGHT = 1000;
/** Between blocks, in ms of their own time. */
const INTERVAL_MS = 1000;
const VALID_MS = 60_000;
/** More than any of these chains holds. */
const QUOTA_BYTES = 2 ** 50;
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

interface WriteOptions {
  /**
   * Blocks of which one has real signatures; the others have as many bytes in their place, and nobody who syncs looks at those. The last ones and
   * those that end an epoch are real in any case. 1 by default: all of them are.
   */
  readonly signedEvery?: number;
  /** Blocks of which one holds a transaction; by default each does. */
  readonly transactionEvery?: number;
  /** Of a transaction, each of `recordBytes`; by default one of 100 bytes. */
  readonly records?: number;
  readonly recordBytes?: number;
  /** Called after each block. */
  readonly after?: (ledger: Ledger) => Promise<void>;
}

/** Last blocks whose commits are real, whatever is asked for: those that a start looks at. */
const SIGNED_LAST = 16;

/** A chain that validators decided, without any of them running; its signatures are real where they are not left out. */
export class DecidedChain {
  readonly genesis: Genesis;
  /** In the order of the committee. */
  readonly #signers: readonly Signer[];

  constructor(nowMs: number, { validators: count = VALIDATORS_DEFAULT } = {}) {
    const signers = Array.from({ length: count }, () => createSigner(SCHEME, randomBytes(SEED_BYTES)));
    const address = ({ publicKey }: Signer) => addressOf(SCHEME, publicKey);
    this.#signers = signers.toSorted((a, b) => compareBytes(address(a), address(b)));
    const validators = signers.map(({ publicKey }, i) => ({ name: `v${i}`, publicKey, weight: WEIGHT }));
    const parameters = { quotaBytesPerWindow: QUOTA_BYTES };
    this.genesis = createGenesis({ network: 'bench', timeMs: nowMs, scheme: SCHEME, validators, parameters, allowLargeWeights: count < 4 });
  }

  /** Writes blocks up to the height `blocks` into an empty store. */
  async write(store: Store, blocks: number, options: WriteOptions = {}): Promise<void> {
    const { signedEvery = 1, transactionEvery = 1, records = 1, recordBytes = 100, after = async () => undefined } = options;
    const { genesis } = this;
    const behind = new WriteBehindStore(store);
    const ledger = await Ledger.open({ genesis, store: behind, verifier: createVerifier(SCHEME), log: SILENT });
    const [owner] = this.#signers as [Signer];
    const account = addressOf(SCHEME, owner.publicKey);
    const service = { name: 'bench', owners: [account], writers: [account], schemas: [{ name: 'bench', version: 1 }], shard: 0 };
    await this.#decide(ledger, { kind: 'service.create', ...service, retentionMs: 0 }, true);
    const append = { kind: 'record.append', service: 'bench', schema: 'bench', schemaVersion: 1, mediaType: 'text/plain' } as const;
    const payload = new Uint8Array(recordBytes);
    for (let height = 2; height <= blocks; height++) {
      const isSigned = height % signedEvery === 0 || height > blocks - SIGNED_LAST;
      const operation = { ...append, records: Array.from({ length: records }, () => ({ key: '', payload: payload.fill(height) })) };
      await this.#decide(ledger, height % transactionEvery === 0 ? operation : null, isSigned);
      await after(ledger);
    }
    await behind.write([], { sync: true });
  }

  async #decide(ledger: Ledger, operation: Operation | null, isSigned: boolean): Promise<void> {
    const { genesis } = this;
    const [signer] = this.#signers as [Signer];
    const account = addressOf(SCHEME, signer.publicKey);
    const timeMs = ledger.tip.timeMs + INTERVAL_MS;
    const signed = { genesis, account, validUntilMs: timeMs + VALID_MS, signer: isSigned ? signer : unsigned(signer) };
    const candidates =
      operation === null ? [] : [await buildTransaction({ ...signed, operations: [operation], nonce: randomBytes(NONCE_BYTES) })];
    const parentCertificate = ledger.tip.certificate;
    const candidate = ledger.propose({ proposer: account, timeMs, candidates, parentCertificate, lateCommits: [] });
    assert(candidate.transactions.length === candidates.length, 'the block holds the transaction');
    const content = { height: ledger.tip.height + 1, round: 0, kind: 'commit', blockHash: candidate.blockHash } as const;
    const message = voteMessage(genesis.context, content);
    const isReal = isSigned || candidate.effects.nextEpoch !== null;
    const commits = this.#signers.map(async (each, validator) => ({
      ...content,
      validator,
      signature: await (isReal ? each : unsigned(each)).sign(message, VOTE_CONTEXT),
    }));
    await ledger.apply(candidate, certificateFrom(await Promise.all(commits)), { deferrable: true });
  }
}

/** A key that leaves the place of its signatures empty. */
function unsigned({ publicKey }: Signer): Signer {
  return { publicKey, sign: async () => NO_SIGNATURE };
}
