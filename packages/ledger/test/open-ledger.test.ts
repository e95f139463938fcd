import { NacreError, utf8 } from '@nacre/base';
import { pageKey } from '@nacre/crypto';
import { type Block, createGenesis, expiredKey, Ledger, LedgerError } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { blockKey, bodyKey, heightKey, historyTileKey, logTileKey, statePageKey, stateValueKey, statusKey, tipKey } from '../src/keys.ts';
import { PARTICIPATION, RECORD_LOG } from '../src/state-kinds.ts';
import { storedTipCodec } from '../src/tip.ts';
import { MemoryStore } from './support/memory-store.ts';
import { silentLog, TestChain } from './support/test-chain.ts';

describe('opening', () => {
  async function grown() {
    const store = new MemoryStore();
    const { chain, writer } = await TestChain.withService({ store });
    const transaction = await chain.append(writer, ['a', ['key', 'b']]);
    await chain.decide([transaction]);
    return { chain, store, transaction };
  }
  type Grown = Awaited<ReturnType<typeof grown>>;

  const damages: [name: string, what: RegExp, key: (grown: Grown) => Uint8Array][] = [
    ['the tip', /./, () => tipKey()],
    ['the last block', /block/, ({ chain }) => blockKey(chain.ledger.tip.blockHash)],
    ['the index of heights', /block/, () => heightKey(3)],
    ['a body of the last block', /body/, ({ transaction }) => bodyKey(transaction.bodyHash)],
    ['the root page of the state', /page|state/, () => statePageKey(pageKey(''))],
    ['the participation', /state value/, () => stateValueKey(PARTICIPATION.stateKey(null))],
    ['the status of a transaction', /status/, ({ transaction }) => statusKey(transaction.txId)],
    ['the log of a service', /state value/, () => stateValueKey(RECORD_LOG.stateKey('prices'))],
    ['the records of a service', /records|tile/, () => logTileKey('prices', 0, 0)],
    ['the history', /history|tile/, () => historyTileKey(0, 0)],
  ];

  // @mutation packages/ledger/src/stored-tail.ts
  // - const fits = bytes !== undefined && valueHash !== null && bytesEqual(stateValueHash(bytes), valueHash);
  // + const fits = bytes !== undefined && valueHash !== null;
  // @mutation packages/ledger/src/stored-tail.ts
  // - root !== undefined && bytesEqual(root, log.logRoot)
  // + root !== undefined
  test.each(damages)('finds %s flipped', async (_name, what, key) => {
    const state = await grown();
    const { chain, store } = state;
    const damaged = key(state);
    const value = store.get(damaged) ?? expect.unreachable('the key is in the store');
    for (const place of [0, 20, 60]) {
      const at = place % value.length;
      const flipped = value.slice();
      flipped[at] = (flipped[at] as number) ^ 0x40;
      await store.write([{ type: 'put', key: damaged, value: flipped }], { sync: true });
      const opening = chain.reopen();
      await expect(opening).rejects.toThrow(LedgerError);
      await expect(opening).rejects.toMatchObject({
        code: 'LEDGER_DAMAGED',
        message: expect.stringMatching(what),
        hint: expect.any(String),
      });
    }
    await store.write([{ type: 'put', key: damaged, value }], { sync: true });
    await chain.reopen();
  });

  test.each(damages.slice(1))('finds %s missing', async (_name, what, key) => {
    const state = await grown();
    await state.store.write([{ type: 'delete', key: key(state) }], { sync: true });
    await expect(state.chain.reopen()).rejects.toMatchObject({ code: 'LEDGER_DAMAGED', message: expect.stringMatching(what) });
  });

  const tips: [name: string, what: RegExp, change: (grown: Grown) => object][] = [
    ['of another state', /page|state/, () => ({ stateRoot: new Uint8Array(32).fill(1) })],
    ['of another history', /history/, () => ({ historyRoot: new Uint8Array(32) })],
    ['of an earlier block', /last block is missing/, ({ chain }) => ({ blockHash: chain.ledger.blockAt(2)?.hash })],
    ['with the certificate of another block', /certificate/, ({ chain }) => ({ certificate: chain.ledger.certificateAt(2) })],
    ['with a certificate of another key', /certificate/, ({ chain }) => ({ certificate: { ...chain.ledger.tip.certificate, round: 9 } })],
  ];

  // @mutation packages/ledger/src/stored-tail.ts
  // - if (block === undefined || !bytesEqual(block.hash, tip.blockHash) || block.header.height !== tip.height) {
  // + if (block === undefined) {
  // @mutation packages/ledger/src/stored-tail.ts
  // - require(bytesEqual(logRootAt({ size: tip.height, readTile }), tip.historyRoot),
  // + require(tip.height !== 0,
  // @mutation packages/ledger/src/stored-tail.ts
  // - require(verified.ok, 'the certificate of the last block does not hold');
  // +
  // @mutation packages/ledger/src/stored-tail.ts
  // - require(certificate.height === height && bytesEqual(certificate.blockHash, blockHash),
  // + require(certificate.height >= 0,
  test.each(tips)('finds a tip %s', async (_name, what, change) => {
    const state = await grown();
    const tip = storedTipCodec.decode(state.store.get(tipKey()) as Uint8Array);
    if (!tip.ok) return expect.unreachable();
    const value = storedTipCodec.encode({ ...tip.value, ...change(state) });
    await state.store.write([{ type: 'put', key: tipKey(), value }], { sync: true });
    await expect(state.chain.reopen()).rejects.toMatchObject({ code: 'LEDGER_DAMAGED', message: expect.stringMatching(what) });
  });

  // @mutation packages/ledger/src/stored-tail.ts
  // - if (!bytesEqual(network, genesis.hash)) throw
  // + if (network.length !== genesis.hash.length) throw
  test('refuses the ledger of another network, begun or grown', async () => {
    const validators = (await TestChain.create()).genesis.validators.map(({ publicKey, weight }) => ({ publicKey, weight }));
    const other = createGenesis({ network: 'other', timeMs: 5, scheme: 'ml-dsa-44', validators });
    for (const { store, verifier } of [await TestChain.create(), (await grown()).chain]) {
      const opening = Ledger.open({ genesis: other, store, verifier, log: silentLog });
      await expect(opening).rejects.toMatchObject({ code: 'LEDGER_FOREIGN', hint: expect.any(String) });
    }
  });

  test('does not hide what is not a damage', async () => {
    const { chain, store } = await grown();
    store.get = () => {
      throw new RangeError('a bug');
    };
    await expect(chain.reopen()).rejects.toThrow(RangeError);
    await expect(chain.reopen()).rejects.not.toThrow(NacreError);
  });
});

describe('a damaged store', () => {
  // @mutation packages/ledger/src/block-store.ts
  // - if (!decoded.ok || toHex(decoded.value.hash) !== toHex(hash)) {
  // + if (!decoded.ok) {
  // @mutation packages/ledger/src/block-store.ts
  // - if (decoded?.ok && toHex(decoded.value.bodyHash) === toHex(bodyHash)) return
  // + if (decoded?.ok) return
  test('never passes off a block or a body as another', async () => {
    const store = new MemoryStore();
    const { chain, writer } = await TestChain.withService({ store });
    const transactions = [await chain.append(writer, ['a']), await chain.append(writer, ['b'])];
    await chain.decide(transactions);
    await chain.decide([]);
    const [first, second] = [chain.ledger.blockAt(3) as Block, chain.ledger.blockAt(4) as Block];
    await store.write([{ type: 'put', key: blockKey(second.hash), value: first.bytes }], { sync: false });
    expect(() => chain.ledger.blockByHash(second.hash)).toThrow(LedgerError);
    const [a, b] = transactions.map(({ bodyHash }) => bodyKey(bodyHash)) as [Uint8Array, Uint8Array];
    await store.write([{ type: 'put', key: a, value: store.get(b) as Uint8Array }], { sync: false });
    expect(() => chain.ledger.loadBlock(first.hash)).toThrow(LedgerError);
  });

  test('is noticed when it is read', async () => {
    const store = new MemoryStore();
    const { chain, writer } = await TestChain.withService({ store });
    const transaction = await chain.append(writer, ['a']);
    await chain.decide([transaction]);
    const flip = (key: Uint8Array) => {
      const value = store.get(key) ?? expect.unreachable();
      value[value.length - 1] = (value.at(-1) as number) ^ 1;
      return store.write([{ type: 'put', key, value: value.length > 8 ? value.slice(0, -1) : utf8('x') }], { sync: true });
    };
    // Opened anew, so that nothing is kept decoded.
    await chain.reopen();
    await flip(stateValueKey(RECORD_LOG.stateKey('prices')));
    expect(() => chain.ledger.recordLog('prices')).toThrow(LedgerError);
    await flip(statusKey(transaction.txId));
    expect(() => chain.ledger.transactionStatus(transaction.txId)).toThrow(LedgerError);
    await store.write([{ type: 'put', key: expiredKey(new Uint8Array(32)), value: utf8('x') }], { sync: true });
    expect(() => chain.ledger.transactionStatus(new Uint8Array(32))).toThrow(LedgerError);
    await flip(bodyKey(transaction.bodyHash));
    expect(() => chain.ledger.loadBlock(chain.ledger.tip.blockHash)).toThrow(LedgerError);
    await store.write([{ type: 'delete', key: blockKey(chain.ledger.tip.blockHash) }], { sync: true });
    expect(() => chain.ledger.blockAt(3)).toThrow(LedgerError);
    await flip(tipKey());
    await expect(chain.reopen()).rejects.toThrow(LedgerError);
  });
});
