/**
 * Fuzzes every decoder and the core of consensus, guided by which blocks of code the inputs reach.
 *
 * Usage: npm run fuzz [-- --seconds N] [--target NAME] [--seed S]
 * `--seconds`: of computing, for all targets together, 30 by default; a busy machine tries no fewer inputs. `--target`: those whose name
 * begins so. The seed is printed; with it and `--target`, the same inputs come again.
 */
import { parseArgs } from 'node:util';
import { coreTarget } from '../test/fuzz/core-target.ts';
import { SourceCoverage } from '../test/fuzz/coverage.ts';
import { decoderTargets } from '../test/fuzz/decoders.ts';
import { type FuzzTarget, fuzz } from '../test/fuzz/fuzzer.ts';

/** The core has more ways through it than a decoder. */
const SHARE_OF_CORE = 0.25;

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '30' }, target: { type: 'string', default: '' }, seed: { type: 'string' } },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
if (!(seconds > 0) || !Number.isInteger(seed)) throw new Error('--seconds N, a positive number, and --seed S, an integer, are expected');

const coverage = new SourceCoverage((url) => url.includes('/packages/'));
const decoders = (await decoderTargets()).filter(({ name }) => name.startsWith(values.target));
const withCore = coreTarget.name.startsWith(values.target);
const coreSeconds = withCore ? (decoders.length > 0 ? seconds * SHARE_OF_CORE : seconds) : 0;
const planned: { readonly target: FuzzTarget; readonly budgetMs: number }[] = decoders.map((target) => ({
  target,
  budgetMs: (1000 * (seconds - coreSeconds)) / decoders.length,
}));
if (withCore) planned.push({ target: coreTarget, budgetMs: 1000 * coreSeconds });
if (planned.length === 0) throw new Error(`no target's name begins with ${values.target}`);

console.log(`seed ${seed}`);
console.log(`${'target'.padEnd(28)} ${'inputs'.padStart(9)} ${'accepted'.padStart(9)} ${'reached'.padStart(7)} ${'corpus'.padStart(7)}`);
let failed = 0;
for (const { target, budgetMs } of planned) {
  coverage.forget();
  const before = process.threadCpuUsage();
  const isOver = (): boolean => {
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1000 >= budgetMs;
  };
  const { inputs, accepted, corpus, finding } = await fuzz(target, { seed, coverage, isOver });
  const columns = [inputs, accepted].map((count) => String(count).padStart(9));
  console.log(`${target.name.padEnd(28)} ${columns.join(' ')} ${String(coverage.characters).padStart(7)} ${String(corpus).padStart(7)}`);
  if (finding === null) continue;
  failed++;
  console.log(`FAIL ${target.name} with ${finding.input}\n${finding.error instanceof Error ? finding.error.stack : String(finding.error)}`);
}
coverage[Symbol.dispose]();
console.log(`${planned.length - failed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;
