import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { brokenSource } from './broken-source.ts';
import { VARIANTS, type Variant } from './variants.ts';

export { VARIANTS };

/**
 * Makes the modules that this thread loads from now on those of a broken variant: one line of one file is another. Nothing on disk
 * changes, and the program holds no switch that could turn into it.
 *
 * @throws {AssertionError} when that line is not in the file exactly once: the variant has to be renewed
 */
export function installVariant(variant: Variant): void {
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(`/${variant.file}`)) return loaded;
      return { ...loaded, source: brokenSource(variant, readFileSync(fileURLToPath(url), 'utf8')) };
    },
  });
}
