import { toHex } from '@nacre/base';
import { type Checkpoint, type Genesis, NONCE_BYTES, type Operation, type Proven } from '@nacre/ledger';
import type { AccountKey } from './account-key.ts';
import { text } from './answer-shape.ts';
import {
  BLOCK,
  type BlockAnswer,
  HEALTH,
  type HealthAnswer,
  LATEST,
  type LatestAnswer,
  LIGHT_UPDATE,
  RECORD_PAGE,
  type RecordAnswer,
  STATUS,
  type StatusAnswer,
  SUBMISSION,
  type SubmissionAnswer,
  type Topic,
  TRANSACTION_STATUS,
  type TransactionAnswer,
  VALIDATORS,
  type ValidatorsAnswer,
} from './answers.ts';
import { toBase64 } from './base64.ts';
import { canonicalPayload } from './canonical-payload.ts';
import { NacreClientError, NacreRpcError } from './client-error.ts';
import { FINAL_TIMEOUT_MS, STATUS_POLL_MS, STATUS_POLL_MS_MAX, VALID_FOR_MS } from './client-limits.ts';
import { type Call, callWithFailover } from './failover.ts';
import { malformedError, timeoutError } from './http-call.ts';
import { LightClient, type LightOptions } from './light-client.ts';
import { NodePool } from './node-pool.ts';
import { pause } from './pause.ts';
import { checkGenesis, readGenesis } from './read-genesis.ts';
import { signOperations } from './sign-operations.ts';
import { type SubscribeRequest, Subscription } from './subscription.ts';
import { endingError, type FinalAnswer, transactionEnding } from './transaction-ending.ts';
import type { ProofQuestion } from './verify-record-proof.ts';

export interface ConnectOptions extends LightOptions {
  /** The network's genesis, or the text of its file: what proofs are verified against, and what this client's signatures name. */
  readonly genesis?: Genesis | string;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface SubmitOptions extends CallOptions {
  /** `admitted` (default): until it is durable on the node that took it. `committed`: until it is decided. */
  readonly wait?: 'admitted' | 'committed';
  /** How long to wait for the decision, in ms: at most 60,000, by default 10,000. Then the status is `pending`. */
  readonly timeoutMs?: number;
}

/** Records for the node to sign. Give `payload`, or `payloads` for a batch in one transaction. */
export interface RecordSubmission {
  readonly service: string;
  readonly key?: string;
  /** `name@version`, by default `json@1`. */
  readonly schema?: string;
  readonly payload?: unknown;
  readonly payloads?: readonly unknown[];
  /** Of this submission, however often it is sent to this node; by default a new one. */
  readonly requestId?: string;
}

export interface RecordQuery {
  readonly service: string;
  readonly key?: string;
  readonly fromIndex?: number;
  readonly order?: 'ascending' | 'descending';
  /** Records fetched at once, at most 1,000; by default 100. */
  readonly pageSize?: number;
}

/** The node's default, for waits that do not say. */
const WAIT_MS_DEFAULT = 10_000;

/**
 * A client of one network, through any of the nodes given. Opens nothing until it is used.
 *
 * @param urls of nodes of the same network, for example `http://127.0.0.1:8640`
 * @throws {NacreClientError} `URL_INVALID`, `GENESIS_INVALID`, `CHECKPOINT_INVALID`, or `GENESIS_MISSING` for a checkpoint alone
 */
export function connect(urls: string | readonly string[], options: ConnectOptions = {}): NacreClient {
  return new NacreClient(typeof urls === 'string' ? [urls] : urls, options);
}

/**
 * The methods of a node (packages/node/rpc.md), answered by whichever node can, and what is built on them. Each throws
 * `NacreRpcError` when no node carries it out, and the signal's reason when it is aborted.
 */
export class NacreClient {
  readonly #pool: NodePool;
  readonly #genesis: Genesis | undefined;
  readonly #light: LightClient | undefined;

  constructor(urls: readonly string[], { genesis, ...light }: ConnectOptions) {
    this.#pool = new NodePool(urls);
    this.#genesis = typeof genesis === 'string' ? readGenesis(genesis) : genesis && checkGenesis(genesis);
    if (this.#genesis !== undefined) this.#light = new LightClient(this.#genesis, light);
    else if (light.checkpoint !== undefined) missingGenesis();
  }

  /** @throws {NacreClientError} `GENESIS_MISSING` */
  get genesis(): Genesis {
    return this.#genesis ?? missingGenesis();
  }

  /**
   * Up to where this client has verified the chain: with every proof it moves on, so that later ones need fewer signatures. Keep its text
   * (`formatCheckpoint`) to go on from it.
   *
   * @throws {NacreClientError} `GENESIS_MISSING`
   */
  get checkpoint(): Checkpoint {
    return (this.#light ?? missingGenesis()).checkpoint;
  }

  /** What the node that answers says of itself and the network. */
  async status(options: CallOptions = {}): Promise<StatusAnswer> {
    return this.#call({ method: 'node_status', params: {}, shape: STATUS, ...options });
  }

  /** Whom the node that answers reaches, which sides a partition has, and how far that node has caught up. */
  async health(options: CallOptions = {}): Promise<HealthAnswer> {
    return this.#call({ method: 'node_health', params: {}, shape: HEALTH, ...options });
  }

  async block(at: { readonly height: number | 'latest' } | { readonly hash: string }, options: CallOptions = {}): Promise<BlockAnswer> {
    return this.#call({ method: 'block_get', params: { ...at }, shape: BLOCK, ...options });
  }

  /** The committee that decides a height, by default the next one. */
  async validators({ height, ...options }: CallOptions & { readonly height?: number } = {}): Promise<ValidatorsAnswer> {
    return this.#call({ method: 'validator_list', params: height === undefined ? {} : { height }, shape: VALIDATORS, ...options });
  }

  /** Where a transaction stands, as the node that answers knows it. */
  async transaction(txId: string, options: CallOptions = {}): Promise<TransactionAnswer> {
    return this.#call({ method: 'tx_get', params: { txId }, shape: TRANSACTION_STATUS, ...options });
  }

  /**
   * Submits a signed transaction. Whatever happens on the way, it takes effect once: repetitions at other nodes are the same transaction.
   *
   * @throws {NacreRpcError} also `TRANSACTION_FAILED` and `TRANSACTION_EXPIRED`, when it was decided without effect or not in time
   */
  async submitTransaction(tx: Uint8Array, options: SubmitOptions = {}): Promise<SubmissionAnswer> {
    try {
      return await this.#submit('tx_submit', { tx: toBase64(tx) }, options);
    } catch (error) {
      // An earlier attempt, whose answer did not arrive, got it decided.
      if (error instanceof NacreRpcError && error.code === 'DUPLICATE') return this.#decidedBefore(error, options);
      throw error;
    }
  }

  /**
   * Signs operations in one transaction, and submits it.
   *
   * @param options `validForMs`: how long it may take until it is decided, by default two minutes; then it never will be
   * @throws {NacreClientError} `TRANSACTION_INVALID` where no node would take them
   */
  async submitOperations(
    account: AccountKey,
    operations: readonly Operation[],
    { validForMs = VALID_FOR_MS, ...options }: SubmitOptions & { readonly validForMs?: number } = {},
  ): Promise<SubmissionAnswer> {
    const { bytes } = await signOperations({
      genesis: this.genesis,
      account,
      operations,
      validUntilMs: Date.now() + validForMs,
      nonce: crypto.getRandomValues(new Uint8Array(NONCE_BYTES)),
    });
    return this.submitTransaction(bytes, options);
  }

  /**
   * Has a node sign records with its own key, once however often it is sent: repetitions go to the same node only.
   * After an error that leaves it open whether the node took them, call again with the same `requestId` and only this node's address.
   *
   * @throws {NacreClientError} `PAYLOAD_INVALID`
   */
  async submitRecords(submission: RecordSubmission, options: SubmitOptions = {}): Promise<SubmissionAnswer> {
    for (const payload of submission.payloads ?? [submission.payload]) canonicalPayload(payload, submission.service);
    return this.#submit('record_submit', { requestId: crypto.randomUUID(), ...submission }, { ...options, sameNode: true });
  }

  /**
   * Asks until the transaction is final.
   *
   * @returns also where it failed or expired
   * @throws {NacreRpcError} `TIMEOUT` where it is not after `timeoutMs`, by default a minute
   */
  async waitFor(
    txId: string,
    { timeoutMs = FINAL_TIMEOUT_MS, ...options }: CallOptions & { readonly timeoutMs?: number } = {},
  ): Promise<FinalAnswer> {
    const deadlineMs = performance.now() + timeoutMs;
    for (let pauseMs = STATUS_POLL_MS; ; pauseMs = Math.min(2 * pauseMs, STATUS_POLL_MS_MAX)) {
      const answer = await this.transaction(txId, options);
      if (answer.status !== 'admitted' && answer.status !== 'unknown') return answer;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw timeoutError(`${txId} is not final after ${timeoutMs} ms`, { txId, status: answer.status, timeoutMs });
      await pause(Math.min(pauseMs, leftMs), options.signal);
    }
  }

  /**
   * How a transaction ended, as all nodes know it that answer: for those who would sign its operations again and must not do so while a block
   * may still hold it. A node may never have heard of a transaction whose time has passed; a later block that it knows then decides.
   *
   * @returns null while it is not final
   */
  async transactionEnding(
    transaction: { readonly txId: string; readonly validUntilMs: number },
    { signal }: CallOptions = {},
  ): Promise<FinalAnswer | null> {
    const { context, hash } = this.genesis;
    const urls = this.#pool.nodes.map(({ url }) => url);
    return transactionEnding(urls, { ...transaction, chain: context.chain, genesisHash: toHex(hash) }, signal);
  }

  /** The records of a service, fetched page by page as they are read. */
  async *records(query: RecordQuery, options: CallOptions = {}): AsyncGenerator<RecordAnswer, void, undefined> {
    const { pageSize, fromIndex, ...fixed } = query;
    const limit = pageSize === undefined ? {} : { limit: pageSize };
    const step = query.order === 'descending' ? -1 : 1;
    for (let next: number | null = fromIndex ?? (step === 1 ? 0 : Infinity); next !== null; ) {
      const from: number = next;
      const params = { ...fixed, ...limit, ...(from === Infinity ? {} : { fromIndex: from }) };
      const page = await this.#call({ method: 'record_list', params, shape: RECORD_PAGE, ...options });
      yield* page.records;
      next = page.nextIndex;
      // A node that sends readers in circles must not hold one for ever.
      if (next !== null && (next - from) * step <= 0) throw malformedError('the node', 'a page that does not lead on');
    }
  }

  /** The latest record under a key, as the node says; {@link proveRecord} does not take its word for it. */
  async latest(service: string, key: string, options: CallOptions = {}): Promise<LatestAnswer> {
    return this.#call({ method: 'record_latest', params: { service, key }, shape: LATEST, ...options });
  }

  /**
   * A proof as the node sent it, base64, not verified: to hand on or to keep.
   *
   * @param options `fromHeight`: of the checkpoint that whoever verifies it has, by default that of the genesis
   * @throws {NacreRpcError} also `PROOF_TOO_LONG`, where the validators changed too often since
   */
  async proof(question: ProofQuestion, options: CallOptions & { readonly fromHeight?: number } = {}): Promise<string> {
    const { fromHeight = 0, ...rest } = options;
    return this.#call({ method: 'record_proof', params: { ...question, fromHeight }, shape: text, ...rest });
  }

  /**
   * Fetches a proof and verifies it against what this client knows of the chain: see `verifyRecordProof`.
   *
   * @throws {NacreClientError} `GENESIS_MISSING`, `PROOF_INVALID`, `PROOF_MISMATCH`, `CHECKPOINT_EXPIRED`
   */
  async proveRecord(question: ProofQuestion, options: CallOptions = {}): Promise<Proven> {
    const light = this.#light ?? missingGenesis();
    let from = light.checkpoint;
    const proof = await this.proof(question, { ...options, fromHeight: from.height }).catch(async (error: unknown) => {
      if (!(error instanceof NacreRpcError && error.code === 'PROOF_TOO_LONG')) throw error;
      from = await this.advance(options);
      return this.proof(question, { ...options, fromHeight: from.height });
    });
    return light.verify(proof, question, from);
  }

  /**
   * Follows the chain to its end, verifying every change of the validators on the way; no node is believed. Whoever seldom proves something calls this
   * well within the trust period.
   *
   * @returns the new checkpoint
   * @throws {NacreClientError} `GENESIS_MISSING`, `PROOF_INVALID`, `CHECKPOINT_EXPIRED`
   */
  async advance(options: CallOptions = {}): Promise<Checkpoint> {
    const light = this.#light ?? missingGenesis();
    for (;;) {
      const from = light.checkpoint;
      const answer = await this.#call({ method: 'light_update', params: { fromHeight: from.height }, shape: LIGHT_UPDATE, ...options });
      await light.advance(answer.update, from);
      if (answer.complete) return light.checkpoint;
      // A node that promises more and gives nothing must not hold one for ever.
      if (light.checkpoint === from) throw malformedError('the node', 'an update that does not lead on');
    }
  }

  /**
   * Begins to listen to a topic. When this returns, what happens from then on (or from the request's cursor on) will be told,
   * also across lost connections and nodes that stop.
   *
   * @throws {NacreRpcError} for example `CURSOR_INVALID`
   */
  async subscribe<Name extends Topic>(request: SubscribeRequest<Name>, options: CallOptions = {}): Promise<Subscription<Name>> {
    return Subscription.open(this.#pool, request, options.signal);
  }

  async #submit(
    method: string,
    params: object,
    { wait = 'admitted', timeoutMs, ...options }: SubmitOptions & Pick<Call<unknown>, 'sameNode'>,
  ): Promise<SubmissionAnswer> {
    const waiting = timeoutMs === undefined ? { wait } : { wait, timeoutMs };
    // Without a wait, account and service may still have to be made first.
    return this.#call({ method, params: { ...params, ...waiting }, shape: SUBMISSION, waitMs: timeoutMs ?? WAIT_MS_DEFAULT, ...options });
  }

  async #decidedBefore(duplicate: NacreRpcError, { signal }: CallOptions): Promise<SubmissionAnswer> {
    const { txId } = duplicate.fields;
    if (typeof txId !== 'string') throw duplicate;
    const answer = await this.waitFor(txId, signal === undefined ? {} : { signal });
    if (answer.status === 'committed' && answer.transaction !== null) {
      const { chain, height, index, transaction } = answer;
      return { txId, status: 'committed', validUntilMs: transaction.validUntilMs, chain, height, index, networkState: null };
    }
    if (answer.status === 'committed') throw duplicate;
    throw endingError(answer);
  }

  async #call<Answer>(call: Call<Answer>): Promise<Answer> {
    return callWithFailover(this.#pool, call);
  }
}

function missingGenesis(): never {
  throw new NacreClientError('GENESIS_MISSING', 'this needs the genesis of the network', {
    hint: "Give connect the option genesis: the text of the network's genesis.json, from somebody you trust.",
  });
}
