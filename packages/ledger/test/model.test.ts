import { type Hash, toHex, utf8 } from '@nacre/base';
import { EMPTY_STATE_ROOT, leafHash, logRoot, updateTree } from '@nacre/crypto';
import {
  Block,
  type FailureCode,
  type NewRecord,
  type Operation,
  type Schema,
  type ServiceDefinition,
  type Transaction,
} from '@nacre/ledger';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stateValueKey } from '../src/keys.ts';
import { recordCodec } from '../src/record.ts';
import { LATEST_RECORD, stateValueHash } from '../src/state-kinds.ts';
import { TestChain, type TestKey } from './support/test-chain.ts';

const ACCOUNTS_MAX = 2;
const SERVICES_MAX = 2;
const NAMES = ['a', 'b', 'c'];
const KEYS = ['', 'x', 'y'];
/** Four validators, and five that may become accounts. */
const PEOPLE = 9;

interface ModelRecord extends NewRecord {
  readonly height: number;
  readonly txId: string;
  readonly writer: number;
  readonly schemaVersion: number;
}

/** The rules once more, as plainly as they can be said: people are numbers, and everything is copied before a transaction. */
class Model {
  accounts = new Map<number, number>([0, 1, 2, 3].map((validator) => [validator, validator]));
  services = new Map<string, ServiceDefinition & { sponsor: number }>();
  records = new Map<string, ModelRecord[]>();
  recoveries = new Map<number, { height: number; nonce: string }>();
  readonly included = new Set<string>();

  /** @returns how each of a block's transactions ends, or undefined where a block cannot hold it */
  block(plans: readonly Plan[], height: number, key: (person: number) => TestKey): (FailureCode | null | undefined)[] {
    const signers = new Map(this.accounts);
    return plans.map(({ signer, operations, transaction }) => {
      const id = toHex(transaction.txId);
      if (!signers.has(signer) || this.included.has(id)) return undefined;
      this.included.add(id);
      const before = [
        new Map(this.accounts),
        new Map(this.services),
        new Map([...this.records].map(([name, list]) => [name, [...list]])),
        new Map(this.recoveries),
      ] as const;
      for (const operation of operations) {
        const failure = this.#run(operation, { signer, height, txId: id, key });
        if (failure === null) continue;
        [this.accounts, this.services, this.records, this.recoveries] = [...before];
        return failure;
      }
      return null;
    });
  }

  #run(plan: PlannedOperation, at: { signer: number; height: number; txId: string; key: (person: number) => TestKey }): FailureCode | null {
    const { signer, height, txId } = at;
    const sponsor = this.accounts.get(signer) as number;
    const count = (values: Iterable<number>) => [...values].filter((one) => one === sponsor).length;
    if (plan.kind === 'account') {
      if (signer > 3) return 'NOT_A_VALIDATOR';
      if (this.accounts.has(plan.person)) return 'ACCOUNT_EXISTS';
      // A validator's own account is its sponsor by genesis and uses no quota.
      if (count(this.accounts.values()) - 1 >= ACCOUNTS_MAX) return 'ACCOUNT_QUOTA_EXCEEDED';
      this.accounts.set(plan.person, signer);
      return null;
    }
    if (plan.kind === 'recover') {
      if (signer > 3) return 'NOT_A_VALIDATOR';
      this.recoveries.set(signer, { height, nonce: toHex(new Uint8Array(16).fill(plan.nonce)) });
      return null;
    }
    const service = this.services.get(plan.name);
    if (plan.kind === 'create') {
      if (service !== undefined) return 'SERVICE_EXISTS';
      if (count([...this.services.values()].map((one) => one.sponsor)) >= SERVICES_MAX) return 'SERVICE_QUOTA_EXCEEDED';
      this.services.set(plan.name, { ...definitionOf(plan, at.key), sponsor });
      this.records.set(plan.name, []);
      return null;
    }
    if (service === undefined) return 'UNKNOWN_SERVICE';
    const includes = (addresses: readonly Uint8Array[]) => addresses.some((address) => toHex(address) === toHex(at.key(signer).address));
    if (plan.kind === 'append') {
      if (!includes(service.writers)) return 'NOT_A_WRITER';
      if (!service.schemas.some(({ version }) => version === plan.version)) return 'SCHEMA_NOT_LISTED';
      const added = plan.records.map((record) => ({ ...record, height, txId, writer: signer, schemaVersion: plan.version }));
      this.records.get(plan.name)?.push(...added);
      return null;
    }
    if (!includes(service.owners)) return 'NOT_AN_OWNER';
    this.services.set(plan.name, { ...definitionOf(plan, at.key), sponsor: service.sponsor });
    return null;
  }
}

type PlannedOperation =
  | { readonly kind: 'account'; readonly person: number }
  | { readonly kind: 'recover'; readonly nonce: number }
  | PlannedDefinition
  | { readonly kind: 'append'; readonly name: string; readonly version: number; readonly records: NewRecord[] };

interface PlannedDefinition {
  readonly kind: 'create' | 'update';
  readonly name: string;
  readonly owners: number[];
  readonly writers: number[];
  readonly versions: number[];
}

interface Plan {
  readonly signer: number;
  readonly operations: readonly PlannedOperation[];
  readonly transaction: Transaction;
}

const person = fc.nat(PEOPLE - 1);
const people = fc.uniqueArray(person, { minLength: 1, maxLength: 3 });
const record = fc.record({ key: fc.constantFrom(...KEYS), payload: fc.string({ maxLength: 3 }).map(utf8) });
const operation: fc.Arbitrary<PlannedOperation> = fc.oneof(
  fc.record({ kind: fc.constant('account' as const), person }),
  fc.record({ kind: fc.constant('recover' as const), nonce: fc.nat(255) }),
  fc.record({
    kind: fc.constantFrom('create' as const, 'update' as const),
    name: fc.constantFrom(...NAMES),
    owners: people,
    writers: people,
    versions: fc.uniqueArray(fc.constantFrom(1, 2, 3), { minLength: 1 }),
  }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      name: fc.constantFrom(...NAMES),
      version: fc.constantFrom(1, 2),
      records: fc.array(record, { minLength: 1, maxLength: 4 }),
    }),
  },
);
/** `again` repeats an earlier transaction as it was. */
const planned = fc.record({
  signer: fc.oneof(fc.nat(3), person),
  operations: fc.array(operation, { minLength: 1, maxLength: 4 }),
  again: fc.option(fc.nat(99), { freq: 8 }),
});
const blocks = fc.array(fc.array(planned, { maxLength: 6 }), { maxLength: 6 });

function definitionOf(plan: PlannedDefinition, key: (person: number) => TestKey): ServiceDefinition {
  const ordered = (list: number[]) => list.map((one) => key(one).address).sort(Buffer.compare);
  const schemas = plan.versions.toSorted((a, b) => a - b).map((version): Schema => ({ name: 's', version }));
  return { name: plan.name, owners: ordered(plan.owners), writers: ordered(plan.writers), schemas, shard: 0, retentionMs: 0 };
}

function realOperation(plan: PlannedOperation, key: (person: number) => TestKey): Operation {
  switch (plan.kind) {
    case 'account':
      return { kind: 'account.create', publicKey: key(plan.person).signer.publicKey };
    case 'recover':
      return { kind: 'validator.recover', nonce: new Uint8Array(16).fill(plan.nonce) };
    case 'create':
      return { kind: 'service.create', ...definitionOf(plan, key) };
    case 'update':
      return { kind: 'service.update', ...definitionOf(plan, key) };
    case 'append':
      return {
        kind: 'record.append',
        service: plan.name,
        schema: 's',
        schemaVersion: plan.version,
        mediaType: 'text/plain',
        records: plan.records,
      };
  }
}

async function expectSame(chain: TestChain, model: Model, key: (person: number) => TestKey): Promise<void> {
  const { ledger } = chain;
  for (let one = 0; one < PEOPLE; one++) {
    const sponsor = model.accounts.get(one);
    const account = ledger.account(key(one).address);
    expect(account?.sponsor).toEqual(sponsor === undefined ? undefined : key(sponsor).address);
    const recovery = ledger.recovery(key(one).address);
    expect(recovery && { height: recovery.height, nonce: toHex(recovery.nonce) }).toEqual(model.recoveries.get(one));
  }
  for (const name of NAMES) {
    const service = model.services.get(name);
    expect(ledger.service(name)).toEqual(service && { ...service, sponsor: key(service.sponsor).address });
    const expected = model.records.get(name) ?? [];
    const { records } = await ledger.records({ service: name, limit: 1000 });
    const plain = records.map(({ height, txId, account, schemaVersion, key: recordKey, payload }) => [
      height,
      toHex(txId),
      toHex(account),
      schemaVersion,
      recordKey,
      toHex(payload),
    ]);
    expect(plain).toEqual(
      expected.map((one) => [one.height, one.txId, toHex(key(one.writer).address), one.schemaVersion, one.key, toHex(one.payload)]),
    );
    for (const recordKey of KEYS.slice(1)) {
      const index = expected.findLastIndex((one) => one.key === recordKey);
      expect((await ledger.latest(name, recordKey))?.index ?? -1).toBe(index);
    }
    if (service === undefined) continue;
    const root = logRoot(records.map((one) => leafHash(recordCodec.encode(one))));
    expect(ledger.recordLog(name)).toEqual({ recordCount: expected.length, logRoot: root });
  }
  expect(ledger.tip.stateRoot).toEqual(await rootFromScratch(chain));
}

/** The state's root as one update of an empty tree gives it, of all values that are stored and the latest record of every key. */
async function rootFromScratch(chain: TestChain): Promise<Hash> {
  const range = { gte: stateValueKey(new Uint8Array(32)), lt: stateValueKey(new Uint8Array(33).fill(255)), limit: 1000 };
  const updates = (await chain.store.scan(range)).map(({ key, value }) => ({ key: key.subarray(1), valueHash: stateValueHash(value) }));
  for (const service of NAMES) {
    for (const key of KEYS.slice(1)) {
      const record = await chain.ledger.latest(service, key);
      if (record === undefined) continue;
      const latest = { index: record.index, leafHash: leafHash(recordCodec.encode(record)) };
      updates.push({ key: LATEST_RECORD.stateKey({ service, key }), valueHash: stateValueHash(LATEST_RECORD.codec.encode(latest)) });
    }
  }
  return updateTree({ get: () => undefined }, EMPTY_STATE_ROOT, updates).root;
}

test('random blocks do what the rules say; proposer, checker, follower and a restarted node agree on every root', async () => {
  await fc.assert(
    fc.asyncProperty(blocks, async (plans) => {
      const parameters = { accountsPerValidatorMax: ACCOUNTS_MAX, servicesPerValidatorMax: SERVICES_MAX };
      const chain = await TestChain.create({ parameters });
      const follower = await TestChain.create({ parameters });
      const key = (one: number) => chain.validators[one] ?? chain.key(`person ${one}`);
      const model = new Model();
      const made: Plan[] = [];
      for (const [index, block] of plans.entries()) {
        const candidates: Plan[] = [];
        for (const { signer, operations, again } of block) {
          const repeated = again === null ? undefined : made[again % Math.max(made.length, 1)];
          const real = operations.map((one) => realOperation(one, key));
          const plan = repeated ?? { signer, operations, transaction: await chain.transaction(key(signer), real) };
          candidates.push(plan);
          made.push(plan);
        }
        const expected = model.block(candidates, index + 1, key);
        const proposed = chain.propose(candidates.map(({ transaction }) => transaction));
        expect(proposed.transactions).toEqual(candidates.filter((_, i) => expected[i] !== undefined).map(({ transaction }) => transaction));
        const failures = proposed.effects.outcomes.map((outcome) => (outcome.status === 'failed' ? outcome.reason.code : null));
        expect(failures).toEqual(expected.filter((one) => one !== undefined));
        const copy = Block.decode(proposed.block.bytes);
        const checked = follower.ledger.check(copy.ok ? copy.value : expect.unreachable(), proposed.transactions);
        if (!checked.ok) return expect.unreachable(checked.error.code);
        const certificate = await chain.certificate(proposed);
        await chain.ledger.apply(proposed, certificate);
        await follower.ledger.apply(checked.value, certificate);
        await follower.reopen();
        expect(follower.ledger.tip).toEqual(chain.ledger.tip);
      }
      await expectSame(chain, model, key);
      await expectSame(follower, model, key);
    }),
    { numRuns: 150 },
  );
});
