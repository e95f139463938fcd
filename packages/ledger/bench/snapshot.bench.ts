import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert } from '@nacre/base';
import type { BenchmarkSuite } from '@nacre/base/benchmark';
import { Snapshots, takeSnapshot } from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { silentLog, TestChain, type TestKey } from '../test/support/test-chain.ts';

const RECORDS = 1000;
/** Blocks of a thousand keys each before anything is measured. */
const FILLING_BLOCKS = 60;
/** Blocks that are timed before and after. */
const ROUNDS = 100;
/** As the replica waits after each page. */
const PAUSE_MS = 1;
/** Between two blocks that are decided, in ms: a loaded network with time left over. */
const BETWEEN_MS = 10;

/** The time at which 99 of 100 are done, in ms. */
const p99 = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;

/** A block of records under keys of their own. */
async function decide(chain: TestChain, writer: TestKey, name: string): Promise<void> {
  const records = Array.from({ length: RECORDS }, (_, i) => [`${name} ${i}`, 'x'] as const);
  const transaction = await chain.append(writer, records);
  const candidate = chain.propose([transaction]);
  assert(candidate.transactions.length === 1, 'the block holds the transaction');
  await chain.ledger.saveCandidate(candidate);
  await chain.ledger.apply(candidate, await chain.certificate(candidate));
}

const suite: BenchmarkSuite = {
  name: 'snapshot',
  async run(bench) {
    const directory = await mkdtemp(join(tmpdir(), 'nacre-snapshot-'));
    const store = await LevelStore.open(directory, { formatVersion: 1, genesisHash: new Uint8Array(32) });
    try {
      const { chain, writer } = await TestChain.withService({ store, parameters: { quotaBytesPerWindow: 2 ** 50 } });
      for (let block = 0; block < FILLING_BLOCKS; block++) await decide(chain, writer, `filled ${block}`);
      const timed = async (name: string, isOver: (blocks: number) => boolean): Promise<number[]> => {
        const times: number[] = [];
        while (!isOver(times.length)) {
          const startedMs = performance.now();
          await decide(chain, writer, `${name} ${times.length}`);
          times.push(performance.now() - startedMs);

          await sleep(BETWEEN_MS);
        }
        return times;
      };
      const before = await timed('before', (blocks) => blocks === ROUNDS);
      const { genesis, verifier } = chain;
      const snapshots = new Snapshots({ genesis, store, verifier, log: silentLog });
      const startedMs = performance.now();
      let tookMs = 0;
      const making = takeSnapshot(chain.ledger, snapshots, { keep: 1, pace: () => sleep(PAUSE_MS) }).finally(() => {
        tookMs = performance.now() - startedMs;
      });
      const meanwhile = await timed('meanwhile', () => tookMs > 0);
      const taken = await making;
      assert(taken.ok, 'a snapshot was made');
      const after = await timed('after', (blocks) => blocks === ROUNDS);
      const megabytes = taken.value.bytes / 1_000_000;
      bench.note(
        `a snapshot of ${FILLING_BLOCKS * RECORDS + before.length * RECORDS} keys, ${megabytes.toFixed(1)} MB, made in ${(tookMs / 1000).toFixed(1)} s`,
      );
      bench.note(
        `p99 of a block with a thousand keys, saved and applied: ${p99(before).toFixed(1)} ms before, ${p99(meanwhile).toFixed(1)} ms meanwhile (${meanwhile.length} blocks), ${p99(after).toFixed(1)} ms after`,
      );
    } finally {
      await store.close();
      await rm(directory, { recursive: true });
    }
  },
};

export default suite;
