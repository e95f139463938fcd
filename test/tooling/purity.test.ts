import { expect, test } from 'vitest';
import { findImpurities, isPure } from '../../scripts/check/purity.ts';

const path = 'packages/consensus/src/core.ts';

test.each([
  ['Date.now()', 'Date'],
  ['const now: Date = later;', 'Date'],
  ['performance.now()', 'performance'],
  ['Math.random()', 'Math.random'],
  ['crypto.getRandomValues(bytes)', 'crypto'],
  ['setTimeout(run, 1)', 'setTimeout'],
  ['setInterval(run, 1)', 'setInterval'],
  ['setImmediate(run)', 'setImmediate'],
  ['queueMicrotask(run)', 'queueMicrotask'],
  ['process.env.HOME', 'process'],
  ['const { env } = process;', 'process'],
  ['f({ process })', 'process'],
  ["console.log('x')", 'console'],
  ["globalThis['Date'].now()", 'globalThis'],
  ['new Promise((resolve) => resolve(1))', 'new Promise'],
  ['Promise.withResolvers()', 'Promise.withResolvers'],
  ['new WeakRef(block)', 'WeakRef'],
  ['Math.log2(weight)', 'Math.log2'],
  ['a[process]', 'process'],
  ['({ [process]: 1 })', 'process'],
])('%s is impure', (text, what) => {
  const violations = findImpurities({ path, text: `// line\n${text}` });
  expect(violations).toMatchObject([{ path, line: 2 }]);
  expect(violations[0]?.message).toContain(`${what}: `);
});

test.each([
  '// Date.now() is not called here; process.exit() neither',
  "const text = 'Math.random()';",
  'const text = `setTimeout`;',
  'core.process(vote);',
  'const options = { performance: 1, console: 2 };',
  'interface Step { process(vote: Vote): void; readonly crypto: string }',
  'class Core { process() {} }',
  'Math.floor(weight / 3) + Math.max(a, b)',
  'async function check(verifier: Verifier): Promise<boolean> { return await verifier.verify(signed); }',
  'await Promise.all(checks)',
])('%s is pure', (text) => {
  expect(findImpurities({ path, text })).toEqual([]);
});

test('only the sources of the packages that decide are held to it', () => {
  expect(isPure('packages/consensus/src/core.ts')).toBe(true);
  expect(isPure('packages/consensus/test/core.test.ts')).toBe(false);
  expect(isPure('packages/replica/src/driver.ts')).toBe(false);
  expect(isPure('scripts/check.ts')).toBe(false);
});
