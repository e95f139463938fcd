import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '@nacre/simulator';
import type { Call, SeenRecord, SeenStatus, WriteAnswer } from './history.ts';
import type { LabNode } from './lab-node.ts';
import { callNode, NOBODY_THERE, type RpcAnswer } from './rpc.ts';

export const SERVICES = ['faults/a', 'faults/b'] as const;
const KEYS = ['k0', 'k1', 'k2', 'k3'] as const;
/** Between two calls of a client, in ms, on average: load enough that something is always under way, and not more than a busy machine carries. */
const PAUSE_MS = 40;
/** A client does not hammer a node that does not answer. */
const PAUSE_UNANSWERED_MS = 150;
/** How long a node is asked to wait for a decision, and how much longer the client waits for its answer, in ms. */
const WAIT_MS = 2_000;
const ANSWER_MS = 1_500;
/** Attempts to write one thing under one request id: a node that was killed is back before the last one. */
const ATTEMPTS_MAX = 40;
const PAGE = 50;
/** Records before the end that a client looks at again. */
const OVERLAP = 10;
/** Transactions that status calls ask about: of everybody, so that one node's word is asked of another. */
const KNOWN_MAX = 2_000;
/** Refusals that are certain: nothing was taken. */
const CERTAIN = new Set<string>([
  NOBODY_THERE,
  ...['SERVICE_PENDING', 'MEMPOOL_FULL', 'ACCOUNT_FULL', 'NOT_A_WRITER', 'SCHEMA_NOT_LISTED', 'RATE_LIMITED', 'TOO_MANY_WAITS'],
  ...['EXPIRED', 'TOO_FAR_AHEAD', 'QUOTA_EXCEEDED', 'UNKNOWN_ACCOUNT', 'UNKNOWN_SERVICE', 'REQUEST_IDS_FULL'],
]);

/** What all clients of a run share. */
export interface ClientDesk {
  /** Milliseconds since the run began. */
  readonly nowMs: () => number;
  readonly record: (call: Call) => void;
  /** Transactions that some client knows of. */
  readonly known: string[];
}

/** Writes and reads at one node, one call after the other, and notes each with its answer. */
export class Client {
  readonly #client: number;
  readonly #node: LabNode;
  readonly #random: SeededRandom;
  readonly #desk: ClientDesk;
  readonly #end = new Map<string, number>();
  #written = 0;

  constructor(client: number, node: LabNode, { random, desk }: { readonly random: SeededRandom; readonly desk: ClientDesk }) {
    this.#client = client;
    this.#node = node;
    this.#random = random;
    this.#desk = desk;
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const answered = await this.#next(stop);
      await sleep(answered ? this.#random.exponential(PAUSE_MS) : PAUSE_UNANSWERED_MS);
    }
  }

  /** Writes to each service, which makes it where there is none. */
  async openServices(): Promise<void> {
    for (const service of SERVICES) {
      await this.#attempt({ service, key: KEYS[0], name: this.#newName(), wait: 'committed', requestId: null });
    }
  }

  /** One write to the network that has to be decided, however long that takes. @returns whether it was, before `performance.now()` reaches the deadline */
  async writeForSure(deadlineMs: number): Promise<boolean> {
    const write = { service: SERVICES[0], key: KEYS[0], name: this.#newName(), wait: 'committed', requestId: null } as const;
    const answer = await this.#attempt(write);
    if (answer.kind !== 'admitted') return answer.kind === 'committed';
    // A machine that does much else needs longer than a client waits for one answer.
    for (;;) {
      const status = (await this.#statusOf(answer.txId))?.status;
      if (status === 'committed') return true;
      if (status === 'failed' || status === 'expired' || performance.now() > deadlineMs) return false;
      await sleep(PAUSE_UNANSWERED_MS);
    }
  }

  async #next(stop: AbortSignal): Promise<boolean> {
    const service = this.#random.pick(SERVICES);
    const key = this.#random.pick(KEYS);
    const draw = this.#random.unit();
    if (draw < 0.55) return this.#write(service, key, stop);
    if (draw < 0.7) return this.#list(service);
    if (draw < 0.85) return this.#latest(service, key);
    return this.#status();
  }

  /** Half of the writes carry a request id, and are tried again under it while nobody knows what became of them. */
  async #write(service: string, key: string, stop: AbortSignal): Promise<boolean> {
    const name = this.#newName();
    const wait = this.#random.chance(0.5) ? 'admitted' : 'committed';
    const requestId = this.#random.chance(0.5) ? name : null;
    const { storeLife } = this.#node;
    for (let attempts = 1; ; attempts++) {
      const answer = await this.#attempt({ service, key, name, wait, requestId });
      // A damaged store may have forgotten the request id: another attempt could be another write.
      const isAnswered = answer.kind !== 'unknown' && !(answer.kind === 'refused' && answer.code === NOBODY_THERE);
      const isOver = isAnswered || requestId === null || attempts === ATTEMPTS_MAX || this.#node.storeLife !== storeLife;
      if (isOver || stop.aborted) return isAnswered;
      await sleep(PAUSE_UNANSWERED_MS);
    }
  }

  async #attempt(write: {
    readonly service: string;
    readonly key: string;
    readonly name: string;
    readonly wait: 'admitted' | 'committed';
    readonly requestId: string | null;
  }): Promise<WriteAnswer> {
    const { service, key, name, wait, requestId } = write;
    const common = this.#common();
    const params = { service, key, payload: { name }, wait, timeoutMs: WAIT_MS, ...(requestId === null ? {} : { requestId }) };
    const answer = writeAnswer(await callNode(this.#node.url, { method: 'record_submit', params }, WAIT_MS + ANSWER_MS));
    if ('txId' in answer && this.#desk.known.length < KNOWN_MAX) this.#desk.known.push(answer.txId);
    this.#desk.record({ ...common, kind: 'write', service, key, name, answer, answeredMs: this.#desk.nowMs() });
    return answer;
  }

  async #list(service: string): Promise<boolean> {
    const fromIndex = Math.max(0, (this.#end.get(service) ?? 0) - OVERLAP);
    const common = this.#common();
    const answer = await this.#ask('record_list', { service, fromIndex, limit: PAGE });
    const page = answer === null ? null : { records: (answer.records as RawRecord[]).map(seenRecord), isWhole: answer.nextIndex === null };
    this.#desk.record({ ...common, kind: 'list', service, fromIndex, answer: page, answeredMs: this.#desk.nowMs() });
    if (page !== null && page.records.length > 0) this.#end.set(service, fromIndex + page.records.length);
    return page !== null;
  }

  async #latest(service: string, key: string): Promise<boolean> {
    const common = this.#common();
    const answer = await this.#ask('record_latest', { service, key });
    const record = answer === null || answer.record === null ? null : seenRecord(answer.record as RawRecord);
    const seen = answer === null ? null : { record, height: answer.height as number };
    this.#desk.record({ ...common, kind: 'latest', service, key, answer: seen, answeredMs: this.#desk.nowMs() });
    return seen !== null;
  }

  async #status(): Promise<boolean> {
    if (this.#desk.known.length === 0) return true;
    return (await this.#statusOf(this.#random.pick(this.#desk.known))) !== null;
  }

  async #statusOf(txId: string): Promise<SeenStatus | null> {
    const common = this.#common();
    const raw = (await this.#ask('tx_get', { txId })) as SeenStatus | null;
    const answer = raw === null ? null : seenStatus(raw);
    this.#desk.record({ ...common, kind: 'status', txId, answer, answeredMs: this.#desk.nowMs() });
    return answer;
  }

  async #ask(method: string, params: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>> | null> {
    const answer = await callNode(this.#node.url, { method, params }, ANSWER_MS);
    return answer.ok && typeof answer.result !== 'string' ? answer.result : null;
  }

  #common(): { client: number; node: number; storeLife: number; sentMs: number } {
    return { client: this.#client, node: this.#node.index, storeLife: this.#node.storeLife, sentMs: this.#desk.nowMs() };
  }

  #newName(): string {
    return `${this.#client}-${this.#written++}`;
  }
}

export interface RawRecord extends Omit<SeenRecord, 'name'> {
  readonly payload: { readonly name: string };
}

export function seenRecord({ index, txId, height, key, payload }: RawRecord): SeenRecord {
  return { index, txId, height, key, name: payload.name };
}

/** Without the transaction, which the node shows as well. */
export function seenStatus(raw: SeenStatus): SeenStatus {
  switch (raw.status) {
    case 'admitted':
    case 'unknown':
      return { status: raw.status };
    case 'committed':
    case 'failed':
      return { status: raw.status, height: raw.height, index: raw.index };
    case 'expired':
      return { status: raw.status, height: raw.height, timeMs: raw.timeMs };
  }
}

function writeAnswer(answer: RpcAnswer): WriteAnswer {
  if (answer.ok) {
    const { txId, status, validUntilMs, height, index } = answer.result as {
      readonly txId: string;
      readonly status: 'admitted' | 'committed' | 'pending';
      readonly validUntilMs: number;
      readonly height: number | null;
      readonly index: number | null;
    };
    if (status === 'committed') return { kind: 'committed', txId, validUntilMs, height: height ?? 0, index: index ?? 0 };
    return { kind: 'admitted', txId, validUntilMs };
  }
  const { code, data, message } = answer;
  const txId = typeof data.txId === 'string' ? data.txId : null;
  if (txId !== null && code === 'TRANSACTION_FAILED') return { kind: 'failed', txId };
  if (txId !== null && code === 'TRANSACTION_EXPIRED') return { kind: 'expired', txId };
  return code !== null && CERTAIN.has(code) ? { kind: 'refused', code } : { kind: 'unknown', why: code ?? message };
}
