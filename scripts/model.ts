/**
 * Explores the model of consensus in `model/`: its scenarios, its invariants over random ways, and what breaking one rule of
 * it does.
 *
 * Usage: npm run model [-- --ways N] [--seed S]
 * `--ways`: how many random ways through each sound instance are looked at, 500 by default; a number and not a time, so that a busy machine looks
 * at no fewer. A seed repeats one exploration of each instance.
 */
import { parseArgs } from 'node:util';
import { type Exploration, explore, instances } from './model/explore.ts';
import { runQuint } from './model/quint.ts';

/** Ways of one call of Quint; the more, the less its start costs. */
const WAYS_PER_CALL_MAX = 500;
/** A broken rule that is not found in so many ways, or a witness that is not met, is a failure of the invariants or of how ways are chosen. */
const SEARCH_WAYS_MAX = 3000;

const { values } = parseArgs({ options: { ways: { type: 'string', default: '500' }, seed: { type: 'string' } } });
const ways = Number(values.ways);
if (!Number.isInteger(ways) || ways < 1) throw new Error(`--ways ${values.ways}: a positive integer is expected`);

const counts = { passed: 0, failed: 0 };

function report(good: boolean, line: string): void {
  if (good) counts.passed++;
  else counts.failed++;
  console.log(`${good ? 'ok  ' : 'FAIL'} ${line}`);
}

for (const file of ['instances.qnt', 'scenarios.qnt']) {
  const { code, output } = await runQuint(['typecheck', file]);
  report(code === 0, `${file} has its types${code === 0 ? '' : `\n${output}`}`);
}
for (const module of ['scenarios', 'faults', 'ignoredLock']) {
  const { code, output } = await runQuint(['test', 'scenarios.qnt', `--main=${module}`, '--max-samples=1']);
  const passing = Number(/(\d+) passing/.exec(output)?.[1] ?? 0);
  report(code === 0 && passing > 0, `${passing} ${module}${code === 0 ? '' : `\n${output}`}`);
}
const sound = instances.filter((instance) => instance.breaks === undefined);
for (const { name, witnesses } of sound) {
  const total = await exploreWays(name, witnesses);
  const seen = [...total.witnessed].map(([witness, count]) => `${witness} ${count}`);
  const unseen = witnesses.filter((witness) => !total.witnessed.get(witness));
  report(
    total.violation === null,
    `${name}: ${total.traces} ways${total.violation === null ? ', no violation' : ''}; first seed ${total.seed}`,
  );
  console.log(`     ${seen.join(', ')}`);
  if (total.violation !== null) console.log(total.violation);
  // One seed shows what it shows; a search that meets too little has shown nothing.
  if (values.seed === undefined)
    report(unseen.length === 0, `${name}: ${unseen.length === 0 ? 'every witness seen' : `never seen: ${unseen.join(', ')}`}`);
}
for (const { name, breaks } of instances) {
  if (breaks === undefined) continue;
  const found = await explore(name, { samples: SEARCH_WAYS_MAX, invariant: breaks, seed: values.seed });
  report(
    found.violation !== null,
    `${name}: ${breaks} ${found.violation === null ? 'was not broken' : 'broken'} in ${found.traces} ways; seed ${found.seed}`,
  );
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
if (counts.failed > 0) process.exitCode = 1;

/** Explores one instance with fresh seeds: as many ways as asked for, more until every witness was met, and none after the first violation. */
async function exploreWays(name: string, witnesses: readonly string[]): Promise<Exploration> {
  const witnessed = new Map<string, number>();
  let traces = 0;
  let first: Exploration | undefined;
  for (;;) {
    const samples = traces < ways ? Math.min(WAYS_PER_CALL_MAX, ways - traces) : WAYS_PER_CALL_MAX;
    const one = await explore(name, { samples, invariant: 'safe', seed: values.seed });
    first ??= one;
    traces += one.traces;
    for (const [witness, count] of one.witnessed) witnessed.set(witness, (witnessed.get(witness) ?? 0) + count);
    if (one.violation !== null) return { ...one, traces, witnessed };
    const isComplete = traces >= ways && (traces >= SEARCH_WAYS_MAX || witnesses.every((witness) => witnessed.get(witness)));
    if (values.seed !== undefined || isComplete) return { ...first, traces, witnessed };
  }
}
