import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allSteps } from '../../scripts/check/steps.ts';
import { Miniature } from './miniature.ts';

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
const manifest = (name: string, dependencies = {}): string => json({ name, type: 'module', exports: './src/index.ts', dependencies });

const clean = {
  'package.json': json({ name: 'miniature', type: 'module', workspaces: ['packages/*'] }),
  'packages/base/package.json': manifest('@nacre/base'),
  'packages/base/src/index.ts': "export * from './sum.ts';\n",
  'packages/base/src/sum.ts': 'export function sum(a: number, b: number): number {\n  return a + b;\n}\n',
  'packages/consensus/package.json': manifest('@nacre/consensus', { '@nacre/base': '1' }),
  'packages/consensus/src/index.ts': "import { sum } from '@nacre/base';\n\nexport const four: number = sum(2, 2);\n",
  'scripts/main.ts': 'process.exitCode = 0;\n',
};

async function failingSteps(root: string): Promise<Record<string, string>> {
  const outcomes = await Promise.all(allSteps(root).map(async (step) => [step.name, await step.run()] as const));
  return Object.fromEntries(outcomes.flatMap(([name, { ok, output }]) => (ok ? [] : [[name, output] as const])));
}

/** With the repository's own configuration of every tool. */
function build(planted: Readonly<Record<string, string>>): Miniature {
  const copied = ['tsconfig.json', 'biome.json', '.oxlintrc.json', 'knip.json', '.gitignore'];
  return new Miniature({ files: { ...clean, ...planted }, copied });
}

describe('every step finds what is planted for it', () => {
  let miniature: Miniature;
  let failing: Record<string, string>;

  beforeAll(async () => {
    miniature = build({
      'packages/base/src/index.ts': "export * from './planted.ts';\nexport * from './sum.ts';\n",
      'packages/base/src/planted.ts': [
        "import { readFileSync } from 'node:fs';",
        '',
        'async function later(): Promise<void> {}',
        '',
        "export function start(path: string, kind: 'a' | 'b'): number | undefined {",
        '  later();',
        '  switch (kind) {',
        "    case 'a':",
        '      return readFileSync(path);',
        '  }',
        '  return undefined;',
        '}',
        '',
      ].join('\n'),
      'packages/base/src/any.ts': 'export const loose = (value: any): string => "x" + value;\n',
      'packages/base/src/forgotten.ts': 'export const forgotten = 1;\n',
      'packages/base/src/only-tested.ts': 'export const onlyTested = 1;\n',
      'packages/base/test/only-tested.test.ts': "import { onlyTested } from '../src/only-tested.ts';\n\nvoid onlyTested;\n",
      'packages/consensus/src/index.ts': 'export const now: number = Date.now();\n',
      // In parts, so that this file's own planted block is not taken for a mutation.
      'packages/base/test/sum.test.ts': ['// @', 'mutation packages/base/src/sum.ts\n// - a - b\n// + a\ntest();\n'].join(''),
    });
    failing = await failingSteps(miniature.root);
  }, 60_000);

  afterAll(() => miniature.remove());

  test.each([
    ['types', 'packages/base/src/planted.ts(9,7): error TS2322'],
    ['lint', 'no-floating-promises'],
    ['lint', 'switch-exhaustiveness-check'],
    ['biome', 'noExplicitAny'],
    ['biome', 'useTemplate'],
    ['biome', 'format'],
    ['unused', 'packages/base/src/forgotten.ts'],
    ['unused-but-in-tests', 'packages/base/src/only-tested.ts'],
    ['boundaries', 'packages/base/src/planted.ts:1: node:fs may not be imported here'],
    ['mutations', 'packages/base/test/sum.test.ts:4: a mutation above is stale: packages/base/src/sum.ts holds the text 0 times'],
    ['purity', 'packages/consensus/src/index.ts:1: Date'],
  ])('%s: %s', (name, found) => {
    expect(failing[name]).toContain(found);
  });

  test('and no step but those', () => {
    expect(Object.keys(failing).sort()).toEqual(
      allSteps(miniature.root)
        .map((step) => step.name)
        .sort(),
    );
  });
});

test('a clean repository passes every step', async () => {
  const miniature = build({});
  expect(await failingSteps(miniature.root)).toEqual({});
  miniature.remove();
}, 60_000);
