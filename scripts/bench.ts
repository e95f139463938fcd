// npm run bench [-- NAME_FILTER …]
// Runs the suites packages/*/bench/*.bench.ts one after another and prints medians with their spread.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchmarkSuite } from '@nacre/base/benchmark';
import { describeMachine } from './bench/machine.ts';
import { TableBench } from './bench/table-bench.ts';

const root = join(import.meta.dirname, '..');

async function load(path: string): Promise<BenchmarkSuite> {
  const module = (await import(join(root, path))) as { readonly default?: Partial<BenchmarkSuite> };
  const suite = module.default;
  if (typeof suite?.name !== 'string' || typeof suite.run !== 'function') throw new Error(`${path} exports no BenchmarkSuite by default`);
  return suite as BenchmarkSuite;
}

async function main(filters: readonly string[]): Promise<number> {
  const paths = globSync('packages/*/bench/*.bench.ts', { cwd: root }).sort();
  const suites = await Promise.all(paths.map(async (path) => ({ path, suite: await load(path) })));
  const selected = suites.filter(
    ({ path, suite }) => filters.length === 0 || filters.some((filter) => `${path} ${suite.name}`.includes(filter)),
  );
  if (selected.length === 0) {
    console.error(`No benchmark matches. There are: ${suites.map(({ suite }) => suite.name).join(', ') || 'none'}.`);
    return 1;
  }
  for (const line of describeMachine()) console.log(line);
  for (const { suite } of selected) {
    console.log(`\n${suite.name}`);
    await suite.run(new TableBench((line) => console.log(line)));
  }
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
