import { type Address, bytesEqual, compareBytes, fail, ok, type Refusal, type Result, type Signer } from '@nacre/base';
import type { Operation, Schema, Service, ServiceCreate, Transaction } from '@nacre/ledger';
import type { Replica } from '@nacre/replica';
import type { FinalStatuses } from '../final-statuses.ts';

/** Steps after which a registration gives up: account, service, schema, and as many that another node won. */
const STEPS_MAX = 8;
/** How long a registration's transactions stay valid, in ms. */
const STEP_VALIDITY_MS = 60_000;
const NEVER = new AbortController().signal;
/** What a step fails with when somebody else, or an earlier try of ours, was faster. */
const DONE_BY_OTHERS: readonly string[] = ['ACCOUNT_EXISTS', 'SERVICE_EXISTS'];

type Need =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'step'; readonly run: () => Promise<Result<void, Refusal>> };

export interface KeyHolder {
  readonly address: Address;
  readonly signer: Signer;
}

interface Dependencies {
  readonly replica: Replica;
  readonly finals: FinalStatuses;
  /** The node's own account, which owns what it makes. */
  readonly account: KeyHolder;
  /** Sponsors the account; null for a follower. */
  readonly sponsor: KeyHolder | null;
  /** Other accounts that shall own and write what is made here. */
  readonly writers: readonly Address[];
  readonly sign: (holder: KeyHolder, operations: readonly Operation[], validityMs: number) => Promise<Result<Transaction, Refusal>>;
}

/** Makes what a record needs before it can be appended: the node's account, the service, and its schema. */
export class ServiceRegistrar {
  readonly #dependencies: Dependencies;
  /** One registration at a time per service; each holds a reserved wait, which bounds them. */
  readonly #running = new Map<string, Promise<Result<void, Refusal>>>();
  #creatingAccount: Promise<Result<void, Refusal>> | null = null;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * @returns ok once the chain has decided all that is needed; `SERVICE_PENDING` if that takes longer than `timeoutMs` (it goes on
   *   meanwhile), `SPONSOR_MISSING` on a follower without an account, `NOT_A_WRITER` in another's service, or the ledger's refusal
   */
  async ensure(service: string, schema: Schema, timeoutMs: number): Promise<Result<void, Refusal>> {
    const endsAtMs = performance.now() + timeoutMs;
    for (let step = 0; step < STEPS_MAX; step++) {
      const need = this.#need(service, schema);
      if (need.kind === 'nothing') return ok(undefined);
      if (need.kind === 'refused') return fail(need.refusal);
      const done = await within(this.#running.get(service) ?? this.#start(service, need.run), endsAtMs - performance.now());
      if (done === null) break;
      if (!done.ok) return done;
    }
    return fail({ code: 'SERVICE_PENDING', service });
  }

  /**
   * Call after each block. Makes the account of a validator before anybody asks for it, once there is something to share: a node that is cut
   * off later can then take records for every service that lists it, which it could not if its account had to be decided first.
   */
  prepare(): void {
    const { replica, account, sponsor } = this.#dependencies;
    if (sponsor === null || this.#creatingAccount !== null || replica.ledger.account(account.address) !== undefined) return;
    // One that may not vote may not sponsor either, or is behind and does not know its account yet.
    if (!replica.status().voting) return;
    // Whoever needs the account tries again and tells what it is refused for.
    this.#createAccount(sponsor).catch(() => undefined);
  }

  /** What is missing first. */
  #need(name: string, schema: Schema): Need {
    const { replica, account, sponsor } = this.#dependencies;
    const { ledger } = replica;
    if (ledger.account(account.address) === undefined) {
      if (sponsor === null) return { kind: 'refused', refusal: { code: 'SPONSOR_MISSING' } };
      return { kind: 'step', run: () => this.#createAccount(sponsor) };
    }
    const service = ledger.service(name);
    if (service === undefined) return { kind: 'step', run: () => this.#decide(account, this.#newService(name, schema)) };
    const isOurs = (addresses: readonly Address[]): boolean => addresses.some((address) => bytesEqual(address, account.address));
    if (!isOurs(service.writers)) return { kind: 'refused', refusal: { code: 'NOT_A_WRITER', service: name } };
    if (service.schemas.some((listed) => listed.name === schema.name && listed.version === schema.version)) return { kind: 'nothing' };
    if (!isOurs(service.owners)) return { kind: 'refused', refusal: { code: 'SCHEMA_NOT_LISTED', service: name } };
    return { kind: 'step', run: () => this.#decide(account, withSchema(service, schema)) };
  }

  #start(service: string, run: () => Promise<Result<void, Refusal>>): Promise<Result<void, Refusal>> {
    const running = run().finally(() => this.#running.delete(service));
    this.#running.set(service, running);
    return running;
  }

  #createAccount(sponsor: KeyHolder): Promise<Result<void, Refusal>> {
    const { publicKey } = this.#dependencies.account.signer;
    this.#creatingAccount ??= this.#decide(sponsor, { kind: 'account.create', publicKey }).finally(() => {
      this.#creatingAccount = null;
    });
    return this.#creatingAccount;
  }

  #newService(name: string, schema: Schema): ServiceCreate {
    const { replica, account, writers } = this.#dependencies;
    const { serviceOwnersMax, serviceWritersMax } = replica.ledger.parameters;
    const others = writers.filter((writer) => !bytesEqual(writer, account.address));
    const first = (count: number): Address[] => [account.address, ...others].slice(0, count).sort(compareBytes);
    const owners = first(serviceOwnersMax);
    return { kind: 'service.create', name, owners, writers: first(serviceWritersMax), schemas: [schema], shard: 0, retentionMs: 0 };
  }

  async #decide(holder: KeyHolder, operation: Operation): Promise<Result<void, Refusal>> {
    const { replica, finals, sign } = this.#dependencies;
    const wait = finals.reserve();
    if (wait === null) return fail({ code: 'TOO_MANY_WAITS' });
    try {
      const transaction = await sign(holder, [operation], STEP_VALIDITY_MS);
      if (!transaction.ok) return transaction;
      const admitted = await replica.submit(transaction.value.bytes);
      if (!admitted.ok) return DONE_BY_OTHERS.includes(admitted.error.code) ? ok(undefined) : admitted;
      const final = await wait.until(admitted.value, { timeoutMs: 2 * STEP_VALIDITY_MS, signal: NEVER });
      // What did not become final, or was not the first, is looked at anew by whoever needs it.
      if (final.status === 'failed' && !DONE_BY_OTHERS.includes(final.reason.code)) return fail({ ...final.reason });
      return ok(undefined);
    } finally {
      wait.release();
    }
  }
}

function withSchema({ name, owners, writers, schemas, shard, retentionMs }: Service, schema: Schema): Operation {
  return { kind: 'service.update', name, owners, writers, schemas: [...schemas, schema].sort(inOrder), shard, retentionMs };
}

function inOrder(a: Schema, b: Schema): number {
  if (a.name === b.name) return a.version - b.version;
  return a.name < b.name ? -1 : 1;
}

async function within<Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value | null> {
  if (timeoutMs <= 0) return null;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
