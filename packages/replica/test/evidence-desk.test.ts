import { toHex } from '@nacre/base';
import { equivocationOf } from '@nacre/consensus';
import type { Transaction } from '@nacre/ledger';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeAnswer } from '../src/index.ts';
import type { Puppet } from './support/puppet.ts';
import { type Actor, Stage } from './support/stage.ts';
import { TestKey } from './support/test-keys.ts';

const OFFENDER = 0;
/** Behind the offender in the committee: the first to report. */
const FIRST = 1;
const LAST = 3;
/** Looked at this often, in ms, and a little more. */
const TICK = 150;

let stage: Stage;

beforeEach(async () => {
  stage = await Stage.create();
});

/** The validator signs two different prepares for one round, and both reach the actor. */
async function equivocate(puppets: readonly Puppet[], round = 0): Promise<void> {
  const height = stage.chain.ledger.tip.height + 1;
  const candidate = stage.chain.candidate([], { timeMs: stage.clock.nowMs() });
  const offender = puppets.filter(({ key }) => key === stage.chain.key(OFFENDER));
  await stage.voting(offender, 'prepare', { height, round, blockHash: candidate.blockHash });
  await stage.voting(offender, 'prepare', { height, round, blockHash: null });
  await stage.clock.run(20);
}

/** Different reports that a validator has offered, oldest first. */
function reportsOf(actor: Actor): Transaction[] {
  const offered = new Map<string, Transaction>();
  for (const message of stage.messagesOf(actor.name)) {
    if (message.kind !== 'transactions') continue;
    for (const body of message.bodies) {
      const decoded = stage.chain.ledger.decode(body);
      if (decoded.ok && decoded.value.contents.operations[0]?.kind === 'evidence') offered.set(toHex(decoded.value.txId), decoded.value);
    }
  }
  return [...offered.values()];
}

async function decide(transactions: readonly Transaction[], puppets: readonly Puppet[]): Promise<void> {
  const { block, certificate } = await stage.chain.decide(transactions, stage.clock.nowMs());
  const [puppet] = puppets as [Puppet];
  puppet.answer = async (request) =>
    request.kind === 'bodies' ? encodeAnswer('bodies', { bodies: transactions.map(({ bytes }) => bytes) }) : undefined;
  puppet.say({ kind: 'decided', certificate, block: block.bytes });
  await stage.clock.run(50);
}

describe('an equivocation', () => {
  // @mutation packages/replica/src/replica.ts
  // - equivocationSeen: (equivocation) => this.#evidence?.seen(equivocation),
  // + equivocationSeen: () => undefined,
  test('is reported with both messages by the validator behind the offender, and has it held', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(FIRST);
    await equivocate(puppets);
    await stage.clock.run(TICK);
    const [report] = reportsOf(actor) as [Transaction];
    expect(stage.events).toContain('warn equivocation reported');
    expect(report.contents.account).toEqual(stage.chain.key(FIRST).address);
    const [operation] = report.contents.operations;
    const { first, second } = (operation as Extract<typeof operation, { kind: 'evidence' }>).equivocation;
    expect(equivocationOf(first, second)?.validator).toBe(OFFENDER);
    await decide([report], puppets);
    const { members } = actor.replica.ledger.validatorSet.registry;
    expect(members.flatMap(({ address, held }) => (held === null ? [] : toHex(address)))).toEqual([
      toHex(stage.chain.key(OFFENDER).address),
    ]);
  });

  // @mutation packages/replica/src/evidence-desk.ts
  // - if (clock.nowMs() < one.dueAtMs) return false;
  // +
  test('is reported by the others in their turn, unless the network has decided it by then', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(LAST);
    await equivocate(puppets);
    await stage.clock.run(900);
    expect(reportsOf(actor)).toEqual([]);
    await stage.clock.run(200 + TICK);
    expect(reportsOf(actor)).toHaveLength(1);
  });

  // @mutation packages/replica/src/evidence-desk.ts
  // - if (this.#isHeld(address)) return true;
  // +
  test('of a validator that is held already, if for another one, is not reported', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(LAST);
    await equivocate(puppets);
    const other = await stage.replicaAmongPuppets(FIRST, { puppets: [stage.puppet(OFFENDER, 'offender')] });
    await equivocate(other.puppets, 1);
    await stage.clock.run(TICK);
    await decide(reportsOf(other.actor), puppets);
    await stage.clock.run(2_000);
    expect(reportsOf(other.actor)).toHaveLength(1);
    expect(reportsOf(actor)).toEqual([]);
  });

  // @mutation packages/replica/src/evidence-desk.ts
  // - if (this.#cases.has(key) || this.#cases.size >= OFFENDERS_MAX || this.#isHeld(offender)) return;
  // + if (this.#cases.size >= OFFENDERS_MAX || this.#isHeld(offender)) return;
  // + this.#cases.delete(key);
  test('after another of the same validator adds nothing: the first report goes on', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(FIRST);
    for (const round of [0, 1, 2]) {
      await equivocate(puppets, round);
      await stage.clock.run(TICK);
    }
    expect(reportsOf(actor)).toHaveLength(1);
  });

  // @mutation packages/replica/src/evidence-desk.ts
  // - if (offered === 'committed' || offered === 'failed') return true;
  // + return true;
  test('is reported anew when the time of the report ran out undecided', async () => {
    stage = await Stage.create({ parameters: { validityWindowMs: 5_000 } });
    const { actor, puppets } = await stage.replicaAmongPuppets(FIRST);
    await equivocate(puppets);
    await stage.clock.run(TICK);
    expect(reportsOf(actor)).toHaveLength(1);
    await stage.clock.run(6_000);
    await decide([], puppets);
    await stage.clock.run(TICK);
    expect(reportsOf(actor)).toHaveLength(2);
  });

  test('is reported when there is room again for the report', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(FIRST, { configuration: { pendingCountMax: 1 } });
    const key = stage.chain.key(2);
    const other = await stage.chain.transaction(key, [{ kind: 'account.create', publicKey: new TestKey('someone').publicKey }]);
    puppets[0]?.say({ kind: 'transactions', bodies: [other.bytes] });
    await stage.clock.run(20);
    await equivocate(puppets);
    await stage.clock.run(TICK);
    expect(stage.events).toContain('warn report of an equivocation refused');
    expect(reportsOf(actor)).toEqual([]);
    await decide([other], puppets);
    await stage.clock.run(TICK);
    expect(reportsOf(actor)).toHaveLength(1);
  });
});
