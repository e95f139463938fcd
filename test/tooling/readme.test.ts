import { execFile } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const packages = globSync('packages/*/README.md', { cwd: root }).sort();

test.each(packages)('%s opens with an example that runs', async (path) => {
  const text = readFileSync(join(root, path), 'utf8');
  const example = /^```ts\n(.*?)^```$/ms.exec(text)?.[1];
  expect(example, 'a block of TypeScript').toBeDefined();
  const run = promisify(execFile)(process.execPath, ['--input-type=module-typescript', '--eval', example as string], {
    cwd: dirname(join(root, path)),
  });
  await expect(run).resolves.toBeDefined();
});

test.each(['README.md', 'CHANGELOG.md', ...packages])('the links of %s lead somewhere', (path) => {
  const text = readFileSync(join(root, path), 'utf8').replace(/^```.*?^```$/gms, '');
  const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1] as string);
  expect(targets.filter((target) => !existsSync(join(root, dirname(path), target)))).toEqual([]);
});
