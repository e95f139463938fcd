import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { brokenSource } from '../src/variants/broken-source.ts';
import { huntVariants } from '../src/variants/hunt-variants.ts';
import { VARIANTS, type Variant } from '../src/variants/variants.ts';

const ROOT = new URL('../../../', import.meta.url);

test('there are at least fifteen variants, each with a name of its own', () => {
  expect(VARIANTS.length).toBeGreaterThanOrEqual(15);
  expect(new Set(VARIANTS.map(({ name }) => name)).size).toBe(VARIANTS.length);
});

test.each(VARIANTS)('the line that $name breaks is in the program once', (variant) => {
  const source = readFileSync(fileURLToPath(new URL(variant.file, ROOT)), 'utf8');
  expect(brokenSource(variant, source)).not.toBe(source);
});

test('a variant whose line has changed is refused', () => {
  const variant = VARIANTS[0] as Variant;
  expect(() => brokenSource(variant, 'nothing of it')).toThrow(/does not find its line/);
  expect(() => brokenSource(variant, `${variant.right}\n${variant.right}`)).toThrow(/exactly once/);
});

test('a quorum at one half is caught within a few seeds, and the program as it is passes the first', async () => {
  const [variant] = VARIANTS.filter(({ name }) => name === 'quorum-at-half') as [Variant];
  const [caught] = await huntVariants(() => {}, [variant]);
  expect(caught?.seeds).toBeLessThanOrEqual(5);
  const harmless = { ...variant, wrong: variant.right, seedsMax: 1 };
  expect(await huntVariants(() => {}, [harmless])).toMatchObject([{ seeds: null, outcome: null }]);
});
