import { expect, test } from 'vitest';
import { type RunResult, runScenario } from '../src/run-seed.ts';
import { powerCuts } from './support/power-cuts.ts';

async function survive(seed: number): Promise<RunResult> {
  const result = await runScenario(powerCuts(seed));
  expect(result.violations).toEqual([]);
  expect(result.faults.crashOfAll).toBeGreaterThan(5);
  expect(result.faults.storeRolledBack).toBeGreaterThan(0);
  return result;
}

// @mutation packages/replica/src/mempool.ts
// - { sync: batch.some(({ sync }) => sync) },
// + { sync: batch.length === 0 },
test('an acknowledged transaction survives power cuts of all replicas, because admission syncs it', async () => {
  const { transactions } = await survive(1);
  expect(transactions.committed).toBeGreaterThan(20);
});

// @mutation packages/ledger/src/ledger.ts
// - await this.#store.write(this.blocks.saveOperations(block, transactions, isStored), { sync: true });
// + await this.#store.write(this.blocks.saveOperations(block, transactions, isStored), { sync: false });
test('a block that may be decided survives power cuts of all replicas, because it is synced before any prepare', async () => {
  const { heights } = await survive(2);
  expect(heights).toBeGreaterThan(50);
});

// @mutation packages/ledger/src/vote-journal.ts
// - await this.#directory.sync(JOURNAL_FILE);
// + await this.#directory.read(JOURNAL_FILE);
test('no validator forgets a vote in power cuts of all replicas, because its journal is synced before it is sent', async () => {
  const { faults } = await survive(3);
  expect(faults.fileCut + faults.fileTorn).toBeGreaterThan(0);
});
