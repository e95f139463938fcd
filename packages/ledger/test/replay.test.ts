import { differenceOf, Ledger, replay } from '@nacre/ledger';
import { describe, expect, test, vi } from 'vitest';
import { bodyKey, derivedRange } from '../src/keys.ts';
import { EpochChain } from './support/epoch-chain.ts';
import { fakeVerifier } from './support/fake-keys.ts';
import { MemoryStore } from './support/memory-store.ts';
import { silentLog, TestChain } from './support/test-chain.ts';

async function grown() {
  const store = new MemoryStore();
  const { chain, writer } = await TestChain.withService({ store });
  await chain.decide([await chain.append(writer, ['a', ['key', 'b']])]);
  await chain.decide([await chain.append(writer, [['key', 'c']])]);
  return { chain, store };
}

async function replayed({ genesis, verifier, ledger }: Pick<TestChain, 'genesis' | 'verifier' | 'ledger'>) {
  const store = new MemoryStore();
  const target = await Ledger.open({ genesis, store, verifier, log: silentLog });
  let executed = 0;
  const problem = await replay({ source: ledger, target, verifier, executed: () => void executed++ });
  return { store, target, problem, executed };
}

describe('executing the blocks of a store again', () => {
  test('leads to the same tip, and to the same bytes of everything that follows from blocks', async () => {
    const { chain, store } = await grown();
    const again = await replayed(chain);
    expect(again).toMatchObject({ problem: null, executed: 4 });
    expect(again.target.tip).toMatchObject({ height: 4, blockHash: chain.ledger.tip.blockHash, stateRoot: chain.ledger.tip.stateRoot });
    expect(await differenceOf(store, again.store)).toBeNull();
  });

  // @mutation packages/ledger/src/replay.ts
  // - if (order < 0) return `${named} is there that no block has made`;
  // +
  // @mutation packages/ledger/src/replay.ts
  // - return `${named} is not what the blocks make it`;
  // + return null;
  test('shows every entry that is missing, more, or another one', async () => {
    const { chain, store } = await grown();
    const again = await replayed(chain);
    const entries = await store.scan({ ...derivedRange(), limit: 1000 });
    expect(new Set(entries.map(({ key }) => key[0])).size).toBe(7);
    for (const { key, value } of entries) {
      await store.write([{ type: 'delete', key }], { sync: true });
      expect(await differenceOf(store, again.store)).toMatch(/ is missing$/);
      await store.write([{ type: 'put', key, value: Uint8Array.of(...value, 1) }], { sync: true });
      expect(await differenceOf(store, again.store)).toMatch(/ is not what the blocks make it$/);
      await store.write([{ type: 'put', key, value }], { sync: true });
      const more = Uint8Array.of(...key, 1);
      await store.write([{ type: 'put', key: more, value }], { sync: true });
      expect(await differenceOf(store, again.store)).toMatch(/ is there that no block has made$/);
      await store.write([{ type: 'delete', key: more }], { sync: true });
    }
    expect(await differenceOf(store, again.store)).toBeNull();
  });

  test('ends at the first block that is not whole', async () => {
    const { chain, store } = await grown();
    const [body] = chain.ledger.blockAt(3)?.bodyHashes ?? [];
    await store.write([{ type: 'delete', key: bodyKey(body ?? expect.unreachable('block 3 has a transaction')) }], { sync: true });
    await expect(replayed(chain)).rejects.toMatchObject({ code: 'LEDGER_DAMAGED' });
  });

  // @mutation packages/ledger/src/replay.ts
  // - return (await verifyCertificate({ committee, context: target.genesis.context, certificate, verifier })).ok;
  // + return committee.size > 0;
  // @mutation packages/ledger/src/replay.ts
  // - if (certificate === null || certificate.height !== header.height || !bytesEqual(certificate.blockHash, hash)) return false;
  // + if (certificate === null) return true;
  test('wants to see that each committee has handed over to the next', async () => {
    const epochs = await EpochChain.create();
    await epochs.enter(1);
    await epochs.decideChange({ kind: 'validator.weight', address: epochs.validator(0).address, weight: 900 });
    await epochs.enter(4);
    await epochs.decide();
    const chain = { genesis: epochs.genesis, verifier: fakeVerifier, ledger: epochs.ledger };
    const whole = await replayed(chain);
    expect(whole.problem).toBeNull();
    expect(await differenceOf(epochs.store, whole.store)).toBeNull();
    const { ledger } = epochs;
    const heights = Array.from({ length: ledger.tip.height }, (_, i) => i + 1);
    const height = heights.find((at) => ledger.linkCertificate(at) !== undefined) ?? expect.unreachable('the committee has changed');
    const link = ledger.linkCertificate(height) ?? expect.unreachable('it was just there');
    const problem = { height, what: 'nothing shows that its committee has handed over' };
    const linkOf = vi.spyOn(ledger, 'linkCertificate');
    const forged = link.commits.map((commit) => ({ ...commit, signature: new Uint8Array(commit.signature.length) }));
    for (const other of [undefined, { ...link, height: height + 1 }, { ...link, commits: forged }]) {
      linkOf.mockReturnValue(other);
      expect((await replayed(chain)).problem).toEqual(problem);
    }
  });
});
