import {
  type Address,
  bytesEqual,
  type Clock,
  fail,
  fromUtf8,
  ok,
  type Random,
  type Refusal,
  type Result,
  SignerError,
  toHex,
  utf8,
} from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import { buildTransaction, LedgerError, NONCE_BYTES, type Operation, type Transaction } from '@nacre/ledger';
import type { Replica } from '@nacre/replica';
import type { RecordSubmission } from '../backend.ts';
import type { FinalStatuses } from '../final-statuses.ts';
import type { RequestIds } from './request-ids.ts';
import { type KeyHolder, ServiceRegistrar } from './service-registrar.ts';

/** How long what the node signs stays valid, in ms, if the genesis' window is at least twice that: half is left for clocks that differ. */
const RECORD_VALIDITY_MS = 30 * 60_000;
const MEDIA_TYPE = 'application/json';
const FINGERPRINT_TAG = 'nacre/1/record-submission';

export interface RecordSubmitterOptions {
  /** Signs the records. */
  readonly account: KeyHolder;
  /** Sponsors the account; null for a follower. */
  readonly sponsor: KeyHolder | null;
  /** Accounts of other nodes that shall own and write what is made here. */
  readonly writers: readonly Address[];
}

interface Dependencies {
  readonly replica: Replica;
  readonly requestIds: RequestIds;
  readonly finals: FinalStatuses;
  readonly clock: Clock;
  readonly random: Random;
}

type Submitted = Result<{ readonly txId: Uint8Array; readonly validUntilMs: number }, Refusal>;

/** Turns what clients want recorded into transactions of this node's own account. */
export class RecordSubmitter {
  readonly #options: RecordSubmitterOptions;
  readonly #dependencies: Dependencies;
  readonly #registrar: ServiceRegistrar;
  /** Requests being carried out, by service and id, with their fingerprint; no more than there are calls. */
  readonly #running = new Map<string, { readonly fingerprint: Uint8Array; readonly submitted: Promise<Submitted> }>();

  constructor(options: RecordSubmitterOptions, dependencies: Dependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    const { replica, finals } = dependencies;
    const sign = (holder: KeyHolder, operations: readonly Operation[], validityMs: number) => this.#sign(holder, operations, validityMs);
    this.#registrar = new ServiceRegistrar({ ...options, replica, finals, sign });
  }

  /** Call after each block. */
  afterBlock(): void {
    this.#registrar.prepare();
  }

  /** See `NodeBackend.submitRecords`. */
  async submit(submission: RecordSubmission, timeoutMs: number): Promise<Submitted> {
    const { service, requestId } = submission;
    if (requestId === null) return this.#submitNew(submission, { timeoutMs, fingerprint: null });
    const fingerprint = fingerprintOf(submission);
    const name = `${service}\n${requestId}`;
    const earlier = this.#running.get(name) ?? this.#dependencies.requestIds.find(service, requestId);
    if (earlier !== undefined) {
      if (!bytesEqual(earlier.fingerprint, fingerprint)) return fail({ code: 'REQUEST_ID_REUSED', service, requestId });
      return 'submitted' in earlier ? earlier.submitted : ok({ txId: earlier.txId, validUntilMs: earlier.validUntilMs });
    }
    if (this.#dependencies.requestIds.isFull) return fail({ code: 'REQUEST_IDS_FULL' });
    const submitted = this.#submitNew(submission, { timeoutMs, fingerprint }).finally(() => this.#running.delete(name));
    this.#running.set(name, { fingerprint, submitted });
    return submitted;
  }

  async #submitNew(
    submission: RecordSubmission,
    { timeoutMs, fingerprint }: { readonly timeoutMs: number; readonly fingerprint: Uint8Array | null },
  ): Promise<Submitted> {
    const { replica, requestIds } = this.#dependencies;
    const { service, key, schema, payloads, requestId } = submission;
    const records = payloads.map((payload) => ({ key, payload }));
    const append = {
      kind: 'record.append',
      service,
      schema: schema.name,
      schemaVersion: schema.version,
      mediaType: MEDIA_TYPE,
      records,
    } as const;
    // Signed first: what no node would take must not leave an empty service behind.
    const transaction = await this.#sign(this.#options.account, [append], RECORD_VALIDITY_MS);
    if (!transaction.ok) return transaction;
    const ready = await this.#registrar.ensure(service, schema, timeoutMs);
    if (!ready.ok) return ready;
    const { txId, bytes, contents } = transaction.value;
    const { validUntilMs } = contents;
    if (requestId === null || fingerprint === null) return replica.submit(bytes);
    const admitted = await replica.submit(bytes, requestIds.operations(service, requestId, { fingerprint, txId, validUntilMs }));
    if (admitted.ok) requestIds.added();
    return admitted;
  }

  async #sign({ address, signer }: KeyHolder, operations: readonly Operation[], validityMs: number): Promise<Result<Transaction, Refusal>> {
    const { clock, random, replica } = this.#dependencies;
    const { genesis, parameters, tip } = replica.ledger;
    const window = Math.min(validityMs, Math.floor(parameters.validityWindowMs / 2));
    const validUntilMs = Math.max(clock.nowMs(), tip.timeMs) + window;
    const nonce = random.bytes(NONCE_BYTES);
    try {
      return ok(await buildTransaction({ genesis, parameters, account: address, operations, validUntilMs, nonce, signer }));
    } catch (error) {
      if (error instanceof SignerError) return fail({ ...error.fields, code: error.code });
      if (error instanceof LedgerError && error.code === 'INPUT_INVALID') return fail(error.fields.refusal as Refusal);
      throw error;
    }
  }
}

/** Everything that another call under the same request id must repeat. */
function fingerprintOf({ key, schema, payloads }: RecordSubmission): Uint8Array {
  const texts = payloads.map((payload) => fromUtf8(payload) ?? toHex(payload));
  return taggedHash(FINGERPRINT_TAG, utf8(JSON.stringify([key, schema.name, schema.version, texts])));
}
