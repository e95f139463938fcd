import { toHex } from '@nacre/base';
import { describe, expect, test } from 'vitest';
import { altered } from './support/altered-block.ts';
import { EpochChain } from './support/epoch-chain.ts';
import { GENESIS_MS } from './support/test-chain.ts';

describe('an epoch', () => {
  // @mutation packages/ledger/src/epoch-info.ts
  // - block.timeMs - startMs >= epochMs
  // + block.timeMs - startMs > epochMs
  // @mutation packages/ledger/src/epoch-info.ts
  // - block.height - firstHeight + 1 >= epochBlocksMin
  // + block.height - firstHeight >= epochBlocksMin
  // @mutation packages/ledger/src/epoch-info.ts
  // - block.timeMs - startMs >= epochMs &&
  // + block.timeMs - startMs >= epochMs ||
  test('ends with the first block that is both late and high enough', async () => {
    const chain = await EpochChain.create({ parameters: { epochMs: 10_000, epochBlocksMin: 3 } });
    for (const timeMs of [20_000, 21_000]) await chain.decide([], { timeMs: GENESIS_MS + timeMs });
    expect(chain.epoch).toBe(0);
    await chain.decide([], { timeMs: GENESIS_MS + 22_000 });
    expect(chain.ledger.epochOf(4)).toMatchObject({ epoch: 1, firstHeight: 4, startMs: GENESIS_MS + 22_000 });
    for (const timeMs of [23_000, 24_000, 25_000, 31_999]) await chain.decide([], { timeMs: GENESIS_MS + timeMs });
    expect(chain.epoch).toBe(1);
    await chain.decide([], { timeMs: GENESIS_MS + 32_000 });
    expect(chain.ledger.epochOf(9)).toMatchObject({ epoch: 2, firstHeight: 9 });
    expect([1, 3, 4, 8].map((height) => chain.ledger.headerAt(height)?.epoch)).toEqual([0, 0, 1, 1]);
  });

  // @mutation packages/ledger/src/epoch-book.ts
  // - if (this.#require(EPOCH, middle).firstHeight <= height) low = middle;
  // + if (this.#require(EPOCH, middle).firstHeight < height) low = middle;
  test('is found for every height, also after a restart, and none beyond the next', async () => {
    const chain = await EpochChain.create({ parameters: { epochBlocksMin: 2 } });
    await chain.enter(6);
    const { ledger } = chain;
    const found = () => Array.from({ length: 13 }, (_, height) => chain.ledger.epochOf(height + 1)?.epoch);
    expect(found()).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]);
    expect(ledger.epochOf(14)).toBeUndefined();
    expect([-1, 0, 6, 7, 0.5].map((epoch) => ledger.epoch(epoch)?.epoch)).toEqual([undefined, 0, 6, undefined, undefined]);
    await chain.reopen();
    expect(found()).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]);
    expect(chain.ledger.participation()).toEqual(ledger.participation());
  });

  test('of a single block works as well', async () => {
    const chain = await EpochChain.create({ parameters: { epochBlocksMin: 1 } });
    await chain.enter(5);
    expect(chain.ledger.tip.height).toBe(5);
  });

  // @mutation packages/ledger/src/header-rules.ts
  // - if (header.epoch !== expected.epoch) return
  // + if (header.epoch < expected.epoch) return
  test('stands in the header of each of its blocks', async () => {
    const chain = await EpochChain.create();
    await chain.enter(1);
    const block = altered(chain.propose([]), { epoch: 2 });
    expect(chain.ledger.check(block, [])).toMatchObject({ ok: false, error: { code: 'BLOCK_EPOCH', epoch: 2, expected: 1 } });
  });

  // @mutation packages/ledger/src/participation.ts
  // - if (parentCertificate !== null && parentCertificate.height >= info.firstHeight) {
  // + if (parentCertificate !== null) {
  test('counts the commits of its own heights only', async () => {
    const chain = await EpochChain.create();
    await chain.enter(1);
    await chain.decide();
    expect(chain.ledger.participation()).toMatchObject({ epoch: 1, heights: 0, commits: [0, 0, 0, 0] });
    await chain.decide();
    expect(chain.ledger.participation()).toMatchObject({ epoch: 1, heights: 1, commits: [1, 1, 1, 1] });
  });

  test('credits no late commit of the one before', async () => {
    const chain = await EpochChain.create({ parameters: { lateCommitHeights: 8 } });
    await chain.enter(1, { absent: [chain.validator(0)] });
    expect(chain.ledger.participation()?.recent).toEqual([]);
    const index = chain.ledger.committeeAt(3).indexOf(chain.validator(0).address) as number;
    const late = { height: 3, validator: index, round: 0, signature: new Uint8Array(1) };
    const block = altered(chain.propose([]), { lateCommits: [{ height: 3, validators: [index] }] }, { lateCommits: [late] });
    expect(chain.ledger.check(block, [])).toMatchObject({ ok: false, error: { code: 'LATE_COMMITS_HEIGHT', height: 3 } });
  });
});

describe('a change of committees', () => {
  async function leaving() {
    const chain = await EpochChain.create({ weights: [1000, 1000, 1000, 1000, 1000] });
    expect(await chain.decideChange({ kind: 'validator.leave', address: chain.validator(4).address })).toBeNull();
    return chain;
  }

  // @mutation packages/ledger/src/end-epoch.ts
  // - const committee = withoutQuarantined(scheduled, judged);
  // + const committee = committeeOf(servingMembers(judged), scheduled);
  test('acts two epochs after it was decided', async () => {
    const chain = await leaving();
    const seen: number[] = [];
    for (const epoch of [0, 1, 2, 3]) {
      await chain.enter(epoch);
      seen.push(Object.keys(chain.weights()).length);
    }
    expect(seen).toEqual([5, 5, 4, 4]);
  });

  test('is announced an epoch ahead', async () => {
    const chain = await leaving();
    expect(chain.ledger.nextEpoch()).toMatchObject({ epoch: 1, committee: { size: 5 } });
    await chain.enter(1);
    expect(chain.ledger.nextEpoch()).toMatchObject({ epoch: 2, committee: { size: 4 } });
  });

  // @mutation packages/ledger/src/ledger.ts
  // - const parentCommittee = this.committeeAt(this.#tip.height);
  // + const parentCommittee = epoch.info.committee;
  // @mutation packages/ledger/src/block-store.ts
  // - encodeCertificate(minimalCertificate(committee, certificate))
  // + encodeCertificate(certificate)
  test('stands in the last header, is certified by the old committee, and its certificate is kept', async () => {
    const chain = await leaving();
    await chain.enter(2);
    const { header } = chain.ledger.tip;
    const [before, after] = [chain.ledger.committeeAt(6), chain.ledger.committeeAt(7)];
    expect([before.size, after.size]).toEqual([5, 4]);
    expect([header?.height, toHex(header?.committeeHash as Uint8Array), toHex(header?.nextCommitteeHash as Uint8Array)]).toEqual([
      6,
      toHex(before.hash),
      toHex(after.hash),
    ]);
    expect(chain.ledger.linkCertificate(6)?.commits).toHaveLength(4);
    expect(chain.ledger.linkCertificate(3)).toBeUndefined();
    await chain.decide();
    expect(chain.ledger.certificateAt(6)?.commits).toHaveLength(5);
    const left = altered(chain.propose([]), { proposer: chain.validator(4).address });
    expect(chain.ledger.check(left, [])).toMatchObject({ ok: false, error: { code: 'PROPOSER_UNKNOWN' } });
  });

  // @mutation packages/ledger/src/ledger.ts
  // - assert(certificate !== null || !changesCommittee(header),
  // + assert(certificate !== null || header.height > 0,
  test('is not applied without a certificate', async () => {
    const chain = await leaving();
    while (chain.ledger.tip.height < 5) await chain.decide();
    expect(() => chain.ledger.apply(chain.propose([]), null)).toThrow('must be shown');
  });

  // @mutation packages/ledger/src/check-block.ts
  // - const next = effects.nextEpoch?.info ?? info;
  // + const next = info;
  test('may not be kept out of the header', async () => {
    const chain = await leaving();
    while (chain.ledger.tip.height < 5) await chain.decide();
    const proposed = chain.propose([]);
    const { committeeHash } = proposed.block.header;
    const block = altered(proposed, { nextCommitteeHash: committeeHash });
    expect(chain.ledger.check(block, [])).toMatchObject({ ok: false, error: { code: 'NEXT_COMMITTEE_HASH' } });
    expect(chain.ledger.check(proposed.block, [])).toMatchObject({ ok: true });
  });
});
