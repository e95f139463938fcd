import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const README = join(import.meta.dirname, '../../../packages/client/README.md');

/** The programs in the SDK's README by their names. @throws {Error} for one without a name, which nobody would run */
export function readmeExamples(): ReadonlyMap<string, string> {
  const blocks = [...readFileSync(README, 'utf8').matchAll(/^```(?:js|ts)\n([\s\S]*?)^```$/gm)].map(([, text]) => text as string);
  return new Map(
    blocks.map((text) => {
      const name = /^\/\/ ([\w-]+\.(?:mjs|js|mts))\b/.exec(text)?.[1];
      if (name === undefined) throw new Error(`an example in the SDK's README does not begin with "// NAME": ${text.slice(0, 80)}`);
      return [name, text];
    }),
  );
}
