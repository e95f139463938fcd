import { assert } from '@nacre/base';
import type { Variant } from './variants.ts';

/** The source with the variant's line in place of the right one. */
export function brokenSource({ name, file, right, wrong }: Pick<Variant, 'name' | 'file' | 'right' | 'wrong'>, source: string): string {
  assert(source.split(right).length === 2, `the variant ${name} does not find its line in ${file} exactly once`);
  return source.replace(right, () => wrong);
}
