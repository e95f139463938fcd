import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Of what takes long; the sizes of files, by which vitest orders those that it has not run yet, do not show it. */
const LONG = /test\/processes\/|test\/journal-damage|test\/model\/|simulator\/test\/(byzantine|trace-hashes)/;

/** What takes long comes first, so that no worker is left with it at the end. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { long = [], short = [] } = Object.groupBy(await super.sort(files), ({ moduleId }) => (LONG.test(moduleId) ? 'long' : 'short'));
    return [...long, ...short];
  }
}

export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    // For those that compute: some take seconds on an idle machine, and many times that on one that does much else.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Passes as soon as it holds; a machine that does much else may keep a test from its turn for many seconds.
    expect: { poll: { timeout: 60_000 } },
    // A run of everything has another one beside it, of real processes; and files that measure nothing but wait for each other like company little.
    maxWorkers: 1,
    sequence: { sequencer: LongFirst },
    coverage: {
      provider: 'v8',
      // Named here, so that files which no test loads count as uncovered.
      include: ['packages/*/src/**/*.ts'],
      reporter: ['json-summary'],
      reportOnFailure: true,
    },
  },
});
