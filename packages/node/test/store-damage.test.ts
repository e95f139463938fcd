import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { JOURNAL_FILE } from '@nacre/ledger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { storesSetAside } from '../src/set-aside.ts';
import { damageFile, loseStateValue, storedFiles } from './support/damage.ts';
import { AGREED, FourNodes } from './support/four-nodes.ts';
import { until } from './support/running-testnet.ts';

const SETUP_MS = 120_000;
const CASE_MS = 300_000;
/** So that a test need not wait for a day. */
const FAST_SCRUB = { bytesPerSecond: 64 * 1024 * 1024, intervalMs: 100 };

describe('a validator whose home is damaged', { timeout: CASE_MS }, () => {
  let four: FourNodes;

  beforeAll(async () => {
    four = await FourNodes.start();
  }, SETUP_MS);
  afterAll(() => four.remove(), SETUP_MS);

  test('while it runs: bodies and blocks are put back, and it goes on as the same process with the same store', async () => {
    await four.stopNode(3);
    await four.startNode(3, { scrub: FAST_SCRUB });
    expect(await four.agree(3)).toEqual(AGREED);
    // What a validator stores before it votes stands in the value log.
    await until('node 3 has voted for records', async () => {
      await four.record();
      return (await storedFiles(four.paths(3))).has('values');
    });
    await four.record();
    await damageFile((await storedFiles(four.paths(3))).get('values')?.path ?? '', 'flipped');
    await until('node 3 has mended it', async () => ((await four.metric(3, 'nacre_store_damages_mended')) ?? 0) > 0);
    expect((await four.call(3, 'node_status')).store).toMatchObject({ firstHeight: 1, damagesWaiting: 0, setAside: 0 });
    expect(await four.agree(3)).toEqual(AGREED);
    expect(await storesSetAside(four.paths(3).store)).toEqual([]);
  });

  test('while it runs: where that is not enough it starts anew in the same process, with another store', async () => {
    await four.stopNode(3);
    await loseStateValue(four.paths(3));
    four.said.length = 0;
    await four.startNode(3, { scrub: FAST_SCRUB });
    await until('its store is set aside', async () => (await storesSetAside(four.paths(3).store)).length === 1);
    await four.record();
    expect(await four.agree(3)).toEqual(AGREED);
    expect(await four.metric(3, 'nacre_store_set_aside')).toBe(1);
    expect(four.said.filter((line) => line.startsWith('the store is damaged'))).toHaveLength(1);
    await four.forgetSetAside();
  });

  // @mutation packages/node/src/lasting-node.ts
  // - if (damage === null) throw error;
  // + throw error;
  test('besu #8307: nodes that lose their stores agree again, even most of them', async () => {
    await four.record();
    for (const node of [1, 2, 3]) expect(await four.agree(node)).toEqual(AGREED);
    for (const node of [1, 2, 3]) await four.stopNode(node);
    await rm(four.paths(1).store, { recursive: true });
    for (const node of [2, 3]) await damageFile((await storedFiles(four.paths(node))).get('CURRENT')?.path ?? '', 'removed');
    for (const node of [1, 2, 3]) await four.startNode(node);
    for (const node of [1, 2, 3]) expect(await four.agree(node)).toEqual(AGREED);
    await four.record();
    for (const node of [1, 2, 3]) expect(await four.agree(node)).toEqual(AGREED);
    await four.forgetSetAside();
  });

  // @mutation packages/ledger/src/vote-journal-examination.ts
  // - return doubt ? fail(doubt) : ok(journal.value);
  // + return ok(journal.value);
  test('cometbft #6031: whose vote journal was put back to an earlier copy signs nothing until the network has decided its recovery', async () => {
    const { journal } = four.paths(3);
    const votes = () => readFile(join(journal, JOURNAL_FILE));
    expect(await four.agree(3)).toEqual(AGREED);
    await four.stopNode(3);
    await cp(journal, `${journal}-earlier`, { recursive: true });
    const earlier = await votes();
    await four.startNode(3);
    expect(await four.agree(3)).toEqual(AGREED);
    await until('node 3 has voted', async () => {
      await four.record();
      return !(await votes()).equals(earlier);
    });
    await four.stopNode(3);
    await rm(journal, { recursive: true });
    await cp(`${journal}-earlier`, journal, { recursive: true });
    four.said.length = 0;
    await four.startNode(3);
    expect(await four.agree(3)).toEqual(AGREED);
    expect(four.said.join('\n')).toContain('JOURNAL_BEHIND');
  });
});
