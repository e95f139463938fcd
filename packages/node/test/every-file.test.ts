import { cp, readdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DAMAGE_WAYS, type DamageWay, damageFile } from './support/damage.ts';
import { AGREED, type Agreement, FourNodes } from './support/four-nodes.ts';
import { until } from './support/running-testnet.ts';

const SETUP_MS = 120_000;
const CASE_MS = 60_000;
/** Files of a store of this test; some more come and go. */
const FILES_MAX = 60;
/** `npm run test:damage` damages every file in every way; by itself a sample runs. */
const ALL = process.env.NACRE_DAMAGE === 'all';
const SAMPLE = 2;
/** Decides which files a sample has, and where in a file a bit is flipped or it is cut. */
const SEED = Number(process.env.NACRE_DAMAGE_SEED ?? Date.now() % 1_000_000_000);
/** How often the node starts before its store is damaged: each time LevelDB makes a table of its log, and the value log begins a segment. */
const LIVES = 5;
/** The whole store is gone through after each start, so that nothing damaged is left unread. */
const SCRUB = { scrub: { bytesPerSecond: 64 * 1024 * 1024, intervalMs: 50 }, snapshot: snapshotEvery(4) };

interface Case {
  readonly file: string;
  readonly way: DamageWay;
  /** Share of the file's length. */
  readonly at: number;
}

describe(`files of a stopped validator, damaged one at a time (NACRE_DAMAGE_SEED=${SEED})`, { timeout: 3 * FILES_MAX * CASE_MS }, () => {
  let four: FourNodes;
  /** A copy of the store, from which it is made anew for each file. */
  let kept: string;
  const paths = () => four.paths(3);

  beforeAll(async () => {
    console.log(`NACRE_DAMAGE_SEED=${SEED}`);
    four = await FourNodes.start();
    for (let life = 0; life < LIVES; life++) {
      await four.stopNode(3);
      await four.startNode(3, SCRUB);
      await four.agree(3);
      await until('node 3 has voted for records', async () => {
        await four.record();
        return (await filesBelow(paths().store)).filter(isValueSegment).length > life;
      });
    }
    await four.stopNode(3);
    kept = join(paths().directory, 'kept-store');
    await cp(paths().store, kept, { recursive: true });
  }, SETUP_MS);
  afterAll(() => four.remove(), SETUP_MS);

  /** The node is stopped before and after. @returns what it agreed on when it was back, and when its whole store had been read */
  const comesBack = async ({ file, way, at }: Case, from: string): Promise<Agreement[]> => {
    const name = `${file} ${way}${way === 'removed' ? '' : ` at ${at.toFixed(6)} of its length`}`;
    const agreements: Agreement[] = [];
    try {
      four.said.length = 0;
      await damageFile(join(from, file), way, at);
      // What it missed, and what it may vote for again.
      await four.record();
      await four.startNode(3, SCRUB);
      agreements.push(await four.agree(3));
      await four.record();
      await until('its whole store was gone through and is mended', async () => {
        const [passes, waiting] = await Promise.all(
          ['nacre_store_scrub_passes', 'nacre_store_damages_waiting'].map((metric) => four.metric(3, metric)),
        );
        return (passes ?? 0) > 0 && waiting === 0;
      });
      agreements.push(await four.agree(3));
    } catch (cause) {
      throw new Error(`${name}: ${(cause as Error).message}; the node said ${four.said.slice(0, 3).join('; ')}`, { cause });
    }
    if (ALL)
      console.log(`${name}: ${four.said.find((line) => /damaged|doubt/.test(line)) ?? 'nothing was noticed, and nothing was missing'}`);
    await four.stopNode(3);
    await four.forgetSetAside();
    return agreements;
  };

  test.each(DAMAGE_WAYS)('of its store, %s: back in agreement by itself, its store whole, and no second vote', async (way) => {
    const files = await filesBelow(kept);
    expect(files.length).toBeLessThan(FILES_MAX);
    for (const damage of drawn(files, way)) {
      await rm(paths().store, { recursive: true });
      await cp(kept, paths().store, { recursive: true });
      expect({ damage, agreements: await comesBack(damage, paths().store) }).toEqual({ damage, agreements: [AGREED, AGREED] });
    }
  });

  // The store stays as the node left it: with a store put back, a journal cut between two votes would be two damages at once.
  test('of its vote journal: silent until the network has decided its recovery, then back, and no second vote', async () => {
    const cases = DAMAGE_WAYS.flatMap((way) => drawn(['vote-journal', 'vote-journal.identity'], way));
    for (const damage of ALL ? cases : cases.slice(0, SAMPLE)) {
      expect({ damage, agreements: await comesBack(damage, paths().journal) }).toEqual({ damage, agreements: [AGREED, AGREED] });
    }
  });
});

/** All of the files, or so many of them as a sample has. */
function drawn(files: readonly string[], way: DamageWay): Case[] {
  const count = ALL ? files.length : Math.min(SAMPLE, files.length);
  const seed = SEED + DAMAGE_WAYS.indexOf(way);
  const [chosen = []] = fc.sample(fc.shuffledSubarray([...files], { minLength: count, maxLength: count }), { seed, numRuns: 1 });
  const places = fc.sample(fc.noBias(fc.nat({ max: 999_999 })), { seed, numRuns: count });
  return chosen.map((file, index) => ({ file, way, at: (places[index] as number) / 1_000_000 }));
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
}

const isValueSegment = (file: string): boolean => file.endsWith('.values');

function snapshotEvery(intervalBlocks: number) {
  return { intervalBlocks, keep: 2, fetch: true, behindBlocks: 20_000 };
}
