import { type StoreRange, type StoreView, toHex } from '@nacre/base';
import { type Ledger, takeSnapshot } from '@nacre/ledger';
import { expect, test } from 'vitest';
import { snapshotTargetKey, statusKey } from '../src/keys.ts';
import { EpochChain } from './support/epoch-chain.ts';
import { fakeVerifier } from './support/fake-keys.ts';
import { MemoryStore } from './support/memory-store.ts';
import { made, Newcomer, snapshotsOf } from './support/snapshot-copy.ts';
import { definition, TestChain } from './support/test-chain.ts';

/** A chain with several services, keys that were written twice, and as many accounts as asked for. */
async function grown({ accounts = 3, parameters = {} } = {}) {
  const { chain, writer } = await TestChain.withService({ parameters });
  await chain.decide([await chain.append(writer, [['eur', '1'], ['usd', '2'], 'none'])]);
  await chain.decide([await chain.append(writer, [['eur', '3']])]);
  await chain.decide([await chain.transaction(writer, [{ kind: 'service.create', ...definition('empty', writer) }])]);
  for (let from = 0; from < accounts; from += 50) {
    const operations = Array.from({ length: Math.min(50, accounts - from) }, (_, i) => ({
      kind: 'account.create' as const,
      publicKey: chain.key(`account ${from + i}`).signer.publicKey,
    }));
    await chain.decide([await chain.transaction(chain.validator(1), operations)]);
  }
  return { chain, writer };
}

/** The same block, decided on both: they have the same state and history. */
async function goOnTogether(chain: TestChain, newcomer: Ledger, transactions: Parameters<TestChain['propose']>[0]) {
  const candidate = chain.propose(transactions);
  const certificate = await chain.certificate(candidate);
  const checked = newcomer.check(candidate.block, candidate.transactions);
  if (!checked.ok) return expect.unreachable(JSON.stringify(checked.error));
  expect(toHex(checked.value.effects.stateRoot)).toBe(toHex(candidate.effects.stateRoot));
  await newcomer.apply(checked.value, certificate);
  await chain.ledger.apply(candidate, certificate);
  expect(newcomer.tip.blockHash).toEqual(chain.ledger.tip.blockHash);
}

test.each([
  ['a state of one part', 3],
  ['a state of many parts', 400],
])('whoever takes up a snapshot of %s goes on like everyone else', async (_, accounts) => {
  const { chain, writer } = await grown({ accounts });
  const manifest = await made(chain);
  const newcomer = new Newcomer(chain);
  const taken = await newcomer.take(manifest);
  if (!taken.ok) return expect.unreachable(JSON.stringify(taken.error));
  const ledger = taken.value;
  expect(ledger.tip).toMatchObject({ height: chain.ledger.tip.height, stateRoot: chain.ledger.tip.stateRoot });
  expect(manifest.stateParts > 1).toBe(accounts > 3);

  await goOnTogether(chain, ledger, [await chain.append(writer, [['eur', '4'], 'more']), await chain.append(writer, ['first'], 'empty')]);
  await goOnTogether(chain, ledger, []);
  const reopened = await newcomer.open();
  expect(reopened.tip.blockHash).toEqual(chain.ledger.tip.blockHash);
  await goOnTogether(chain, reopened, [await chain.append(writer, [['usd', '5']])]);
});

test('a node that began with a snapshot says what it does not have, and proves what it has', async () => {
  const { chain, writer } = await grown();
  const newcomer = new Newcomer(chain);
  const taken = await newcomer.take(await made(chain));
  if (!taken.ok) return expect.unreachable(JSON.stringify(taken.error));
  const ledger = taken.value;
  const firstHeight = ledger.tip.height + 1;
  expect(ledger.firstHeight).toBe(firstHeight);
  await goOnTogether(chain, ledger, [await chain.append(writer, [['usd', 'new']])]);
  await expect(ledger.records({ service: 'prices', limit: 10 })).rejects.toMatchObject({
    code: 'RECORD_PRUNED',
    fields: { index: 0, nextIndex: 4, firstHeight },
  });
  expect(await ledger.prove({ service: 'prices', key: 'eur' })).toMatchObject({ ok: false, error: { code: 'RECORD_PRUNED', index: 3 } });
  for (const question of [{ key: 'usd' }, { key: 'gbp' }, { index: 4 }]) {
    const proof = await ledger.prove({ service: 'prices', ...question });
    const original = await chain.ledger.prove({ service: 'prices', ...question });
    expect(proof).toEqual(original);
    expect(proof.ok).toBe(true);
  }
});

// @mutation packages/ledger/src/block-store.ts
// - || this.#store.get(includedKey(txId)) !== undefined
// +
test('what was included before the snapshot is not included again', async () => {
  const { chain, writer } = await grown();
  const again = await chain.append(writer, ['once']);
  await chain.decide([again]);
  const newcomer = new Newcomer(chain);
  const taken = await newcomer.take(await made(chain));
  if (!taken.ok) return expect.unreachable(JSON.stringify(taken.error));
  expect(newcomer.store.get(statusKey(again.txId))).toBeUndefined();
  expect(taken.value.admissible(again, chain.nextTimeMs)).toMatchObject({ ok: false, error: { code: 'DUPLICATE' } });
});

test('a node that began with a snapshot makes the next one, of the same parts as everyone', async () => {
  const { chain, writer } = await grown({ accounts: 400 });
  const first = new Newcomer(chain);
  const taken = await first.take(await made(chain));
  if (!taken.ok) return expect.unreachable(JSON.stringify(taken.error));
  await goOnTogether(chain, taken.value, [await chain.append(writer, [['eur', 'later']])]);
  const there = await takeSnapshot(taken.value, first.snapshots, { keep: 1, pace: () => Promise.resolve() });
  const here = await made(chain);
  expect(there).toEqual({ ok: true, value: here });
  expect(await first.snapshots.list()).toEqual([here]);
});

// @mutation packages/ledger/src/ledger.ts
// - await new Snapshots(dependencies).finishAdoption();
// +
test('a crash while a snapshot is written over the state takes nothing back and leaves nothing half', async () => {
  const { chain, writer } = await grown({ accounts: 60 });
  const manifest = await made(chain);
  let crashes = 0;
  for (let writesUntilCrash = 1; ; writesUntilCrash++) {
    const newcomer = new Newcomer(chain);
    await newcomer.open();
    let writes = 0;
    let adopting = false;
    newcomer.store.beforeWrite = () => {
      adopting ||= newcomer.store.get(snapshotTargetKey())?.at(-1) === 1;
      if (adopting && ++writes === writesUntilCrash) throw new Error('power cut');
    };
    const taken = await newcomer.take(manifest).catch((error: Error) => error.message);
    newcomer.store.beforeWrite = () => {};
    if (taken === 'power cut') {
      crashes++;
      newcomer.store.crash();
    }
    const ledger = await newcomer.open();
    expect(ledger.tip.height).toBe(manifest.height);
    if (taken !== 'power cut') {
      await goOnTogether(chain, ledger, [await chain.append(writer, ['after'])]);
      break;
    }
  }
  expect(crashes).toBeGreaterThan(0);
});

test('a snapshot is taken on over an older state as well', async () => {
  const { chain, writer } = await grown();
  const newcomer = new Newcomer(chain);
  expect((await newcomer.take(await made(chain))).ok).toBe(true);
  for (let i = 0; i < 70; i++) await chain.decide(i % 7 === 0 ? [await chain.append(writer, [['eur', `${i}`]])] : []);
  const taken = await newcomer.take(await made(chain));
  if (!taken.ok) return expect.unreachable(JSON.stringify(taken.error));
  await goOnTogether(chain, taken.value, [await chain.append(writer, [['usd', 'again']])]);
  expect(taken.value.firstHeight).toBe(taken.value.tip.height);
});

// @mutation packages/ledger/src/adopt-snapshot.ts
// - put(keptHeaderKey(header.height), encodeHeader(header)),
// - put(linkKey
// + put(linkKey
test('changes of the committee are followed from the genesis, and proven by whoever took up the snapshot', async () => {
  const chain = await EpochChain.create();
  await chain.enter(1);
  expect(await chain.decideChange({ kind: 'validator.weight', address: chain.validator(0).address, weight: 900 })).toBeNull();
  await chain.enter(4);
  await chain.decide();
  const source = { genesis: chain.genesis, store: chain.store, verifier: fakeVerifier, ledger: chain.ledger };
  const taken = await new Newcomer(source).take(await made(source));
  if (!taken.ok) return expect.unreachable(JSON.stringify(taken.error));
  const ledger = taken.value;
  expect(ledger.committeeAt(1).hash).not.toEqual(ledger.committeeAt(ledger.tip.height + 1).hash);
  expect(ledger.lightUpdate()).toEqual(chain.ledger.lightUpdate());
  expect(await ledger.prove({ service: 'none', key: 'any' })).toEqual(await chain.ledger.prove({ service: 'none', key: 'any' }));
});

test('no snapshot begins with the last block of a committee, nor with one whose certificate is not here', async () => {
  const chain = await EpochChain.create();
  await chain.enter(1);
  await chain.decideChange({ kind: 'validator.weight', address: chain.validator(0).address, weight: 900 });
  await chain.enter(3);
  const source = { genesis: chain.genesis, store: chain.store, verifier: fakeVerifier, ledger: chain.ledger };
  await expect(made(source)).rejects.toThrow('SNAPSHOT_UNANCHORED');
  await chain.decide();
  await expect(made(source)).resolves.toMatchObject({ height: chain.ledger.tip.height });
});

test('only the newest snapshots are kept, and nothing of those that were not finished', async () => {
  const { chain } = await grown();
  const snapshots = snapshotsOf(chain);
  const heights: number[] = [];
  for (let i = 0; i < 3; i++) {
    await chain.decide([]);
    heights.unshift((await made(chain, 2)).height);
  }
  await snapshots.putParts(1, [{ name: 'history', bytes: Uint8Array.of(1) }]);
  await snapshots.sweep();
  expect((await snapshots.list()).map(({ height }) => height)).toEqual(heights.slice(0, 2));
  const held = heights.map((height) => snapshots.part(height, 'history') !== undefined);
  expect(held).toEqual([true, true, false]);
  expect(snapshots.part(1, 'history')).toBeUndefined();
});

test('what was fetched before a restart is not fetched again', async () => {
  const { chain } = await grown({ accounts: 400 });
  const manifest = await made(chain);
  const newcomer = new Newcomer(chain);
  const first = new Set<string>();
  const interrupted = await newcomer.take(manifest, (name, bytes) => (first.add(name).size > 6 ? undefined : bytes));
  expect(interrupted).toMatchObject({ ok: false, error: { code: 'NOT_GIVEN' } });
  expect(newcomer.snapshots.resumable).toEqual(manifest);
  const again: string[] = [];
  const taken = await newcomer.take(manifest, (name, bytes) => {
    again.push(name);
    return bytes;
  });
  expect(taken.ok).toBe(true);
  expect([...first].slice(0, 6).filter((name) => again.includes(name))).toEqual([]);
  expect(newcomer.snapshots.resumable).toBeNull();
});

test('the chain goes on while a snapshot is made, which stays that of its block', async () => {
  const { chain, writer } = await grown({ accounts: 400 });
  let blocks = 0;
  const pace = async () => {
    if (++blocks <= 5) await chain.decide([await chain.append(writer, [['eur', `${blocks}`]])]);
  };
  const height = chain.ledger.tip.height;
  const taken = await takeSnapshot(chain.ledger, snapshotsOf(chain), { keep: 1, pace });
  if (!taken.ok) return expect.unreachable(JSON.stringify(taken.error));
  expect(taken.value.height).toBe(height);
  expect(chain.ledger.tip.height).toBe(height + 5);
  expect((await new Newcomer(chain).take(taken.value)).ok).toBe(true);
});

/** Counts the entries that are read at once. */
class CountingStore extends MemoryStore {
  most = 0;

  override view(): StoreView {
    const view = super.view();
    const scan = async (range: StoreRange) => {
      const entries = await view.scan(range);
      this.most = Math.max(this.most, entries.length);
      return entries;
    };
    return { get: (key) => view.get(key), scan, close: () => view.close() };
  }
}

// @mutation packages/ledger/src/latest-records.ts
// - const READ_MAX = 512;
// + const READ_MAX = 1024;
test('however many keys there are, few are read at once, so that blocks which are written meanwhile wait for few', async () => {
  const store = new CountingStore();
  const { chain, writer } = await TestChain.withService({ store });
  for (let block = 0; block < 2; block++) {
    const records = Array.from({ length: 1000 }, (_, i): [string, string] => [`key ${block} ${i}`, 'x']);
    await chain.decide([await chain.append(writer, records)]);
  }
  await made(chain);
  expect(store.most).toBe(512);
});
