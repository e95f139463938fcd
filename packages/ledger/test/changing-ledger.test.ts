import { assert, toHex, utf8 } from '@nacre/base';
import { advanceCheckpoint, type Checkpoint, changesCommittee, genesisCheckpoint, Ledger, type Proven, verifyProof } from '@nacre/ledger';
import { beforeAll, describe, expect, test } from 'vitest';
import { type LightUpdate, lightUpdateCodec } from '../src/light-update.ts';
import { EpochChain } from './support/epoch-chain.ts';
import { fakeVerifier } from './support/fake-keys.ts';
import { MemoryStore } from './support/memory-store.ts';
import { appendOf, definition, silentLog, type TestKey } from './support/test-chain.ts';

const SERVICE = 'prices';
const CHANGES = 10;

let chain: EpochChain;
let writer: TestKey;
/** Where light clients stood that looked at every block. */
const stops: Checkpoint[] = [];

/** Ten changes of the committee: one joins, two get other keys, one leaves, and the others get other weights. */
beforeAll(async () => {
  chain = await EpochChain.create({ weights: [1000, 1000, 1000, 1000, 1000] });
  const [first, second, ...others] = chain.validators as [TestKey, TestKey, TestKey, TestKey, TestKey];
  writer = chain.key('writer');
  await chain.run(first, { kind: 'account.create', publicKey: writer.signer.publicKey });
  await chain.run(writer, { kind: 'service.create', ...definition(SERVICE, writer) });
  await chain.run(writer, appendOf(SERVICE, [['first', 'written before']]));
  stops.push(genesisCheckpoint(chain.genesis));
  const newcomer = chain.key('newcomer');
  const { publicKey } = newcomer.signer;
  const reweigh = ({ address }: TestKey, weight: number) => chain.decideChange({ kind: 'validator.weight', address, weight });
  const rotate = async (account: TestKey, name: string) => chain.run(account, await chain.rotation(account, chain.key(name)));
  const steps: readonly (() => Promise<string | null>)[] = [
    () => chain.decideChange({ kind: 'validator.join', address: newcomer.address, publicKey, weight: 900 }),
    ...others.map((one, index) => () => reweigh(one, 1001 + index)),
    () => reweigh(newcomer, 800),
    () => reweigh(second, 1010),
    () => rotate(newcomer, 'newcomer/2'),
    () => chain.decideChange({ kind: 'validator.leave', address: newcomer.address }),
    () => reweigh(first, 1020),
    () => rotate(second, 'second/2'),
  ];
  assert(steps.length === CHANGES, 'each step is one change');
  for (const step of steps) {
    assert((await step()) === null, 'the change is decided');
    const entered = chain.epoch + 2;
    while (chain.epoch < entered) {
      await chain.decide();
      stops.push(await advanced(chain.ledger, stops.at(-1) as Checkpoint));
    }
  }
  await chain.run(writer, appendOf(SERVICE, [['last', 'written after']]));
  stops.push(await advanced(chain.ledger, stops.at(-1) as Checkpoint));
});

async function advanced(ledger: Ledger, from: Checkpoint): Promise<Checkpoint> {
  const update = ledger.lightUpdate({ fromHeight: from.height });
  assert(update.ok, 'the ledger is not behind');
  const to = await advanceCheckpoint(from, update.value.bytes, { genesis: chain.genesis, verifier: fakeVerifier });
  return to.ok ? to.value : expect.unreachable(JSON.stringify(to.error));
}

function update(ledger: Ledger, fromHeight: number): LightUpdate {
  const made = ledger.lightUpdate({ fromHeight });
  const decoded = made.ok ? lightUpdateCodec.decode(made.value.bytes) : made;
  return decoded.ok ? decoded.value : expect.unreachable(decoded.error.code);
}

async function proven(ledger: Ledger, index: number, checkpoint?: Checkpoint): Promise<Proven> {
  const fromHeight = checkpoint?.height ?? 0;
  const proof = await ledger.prove({ service: SERVICE, index }, { fromHeight });
  assert(proof.ok, 'the ledger proves what it holds');
  const verified = await verifyProof(chain.genesis, proof.value, fakeVerifier, checkpoint === undefined ? {} : { checkpoint });
  return verified.ok ? verified.value : expect.unreachable(JSON.stringify(verified.error));
}

/** Those who looked at all blocks, at some and at none. */
function lightClients(): Checkpoint[] {
  return [undefined, 1, 7, 20, 33, -1].map((stop) =>
    stop === undefined ? genesisCheckpoint(chain.genesis) : (stops.at(stop) as Checkpoint),
  );
}

/** Another node, which took the same blocks from a peer: with a certificate only where the committee changes, and at the end. */
async function synced(): Promise<Ledger> {
  const { genesis, ledger } = chain;
  const other = await Ledger.open({ genesis, store: new MemoryStore(), verifier: fakeVerifier, log: silentLog });
  for (let height = 1; height <= ledger.tip.height; height++) {
    const { block, transactions } = ledger.loadBlock(ledger.blockAt(height)?.hash as Uint8Array) ?? expect.unreachable();
    const candidate = other.check(block, transactions);
    assert(candidate.ok, 'the other node takes the block');
    const isNeeded = changesCommittee(block.header) || height === ledger.tip.height;
    await other.apply(candidate.value, isNeeded ? (ledger.certificateAt(height) ?? null) : null);
  }
  return other;
}

describe('after ten changes of the committee', () => {
  test('the ledger knows them all, and light clients have followed them as they came', () => {
    const { links } = update(chain.ledger, 0);
    expect(links).toHaveLength(CHANGES);
    const last = stops.at(-1) as Checkpoint;
    expect(last.committee.hash).toEqual(chain.ledger.committeeAt(last.height + 1).hash);
    expect(new Set(stops.map(({ committee }) => toHex(committee.hash))).size).toBe(CHANGES + 1);
  });

  test('a record written before and one written after verify from the genesis', async () => {
    for (const [index, text, epoch] of [
      [0, 'written before', 0],
      [1, 'written after', chain.epoch],
    ] as const) {
      const shown = await proven(chain.ledger, index);
      expect(shown).toMatchObject({ kind: 'included', asOf: { height: chain.ledger.tip.height }, record: { payload: utf8(text) } });
      assert(shown.kind === 'included', 'it is asked for by index');
      expect(chain.ledger.epochOf(shown.record.height)?.epoch).toBe(epoch);
    }
  });

  test('they verify from any checkpoint, whether the proof begins there or at the genesis', async () => {
    for (const checkpoint of lightClients()) {
      for (const index of [0, 1]) {
        expect(await proven(chain.ledger, index, checkpoint)).toMatchObject({ asOf: { height: chain.ledger.tip.height } });
        const fromGenesis = await chain.ledger.prove({ service: SERVICE, index });
        assert(fromGenesis.ok, 'the ledger proves what it holds');
        expect(await verifyProof(chain.genesis, fromGenesis.value, fakeVerifier, { checkpoint })).toMatchObject({ ok: true });
      }
    }
  });

  test('a proof made before the changes still verifies from the genesis, and not beside a later checkpoint', async () => {
    const early = await EpochChain.create({ weights: [1000, 1000, 1000, 1000, 1000] });
    expect(early.genesis.hash).toEqual(chain.genesis.hash);
    await early.decide();
    const proof = await early.ledger.prove({ service: SERVICE, key: 'nothing' });
    assert(proof.ok, 'the ledger proves what it does not hold');
    expect(await verifyProof(chain.genesis, proof.value, fakeVerifier)).toMatchObject({ ok: true, value: { kind: 'absent' } });
    const checkpoint = stops.at(-1) as Checkpoint;
    expect(await verifyProof(chain.genesis, proof.value, fakeVerifier, { checkpoint })).toMatchObject({
      ok: false,
      error: { code: 'PROOF_BEFORE_CHECKPOINT' },
    });
  });

  test('a node that took the blocks from a peer, and one that has been restarted, say the same', async () => {
    await chain.reopen();
    for (const ledger of [chain.ledger, await synced()]) {
      expect(update(ledger, 0).links).toEqual(update(chain.follower, 0).links);
      for (const checkpoint of lightClients()) {
        expect(await proven(ledger, 1, checkpoint)).toMatchObject({ kind: 'included' });
        expect((await advanced(ledger, checkpoint)).height).toBe(ledger.tip.height);
      }
    }
  });

  test('a set change that another network decided is none here', async () => {
    const other = await EpochChain.create({ weights: [1000, 1000, 1000, 1000, 1000], parameters: { epochBlocksMin: 4 } });
    await other.decideChange({ kind: 'validator.leave', address: other.validator(0).address });
    await other.enter(3);
    const forged = other.ledger.lightUpdate();
    assert(forged.ok && other.genesis.hash !== chain.genesis.hash, 'it is another network');
    const to = await advanceCheckpoint(genesisCheckpoint(chain.genesis), forged.value.bytes, {
      genesis: chain.genesis,
      verifier: fakeVerifier,
    });
    expect(to).toMatchObject({ ok: false, error: { code: 'PROOF_NETWORK' } });
  });
});
