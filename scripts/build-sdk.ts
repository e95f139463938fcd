// npm run build:sdk [-- DIRECTORY]
// Builds the SDK as people install it, and packs it: DIRECTORY/nacre-client-VERSION.tgz, by default in packages/client/build. Prints its path; the
// directory is emptied first.
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { buildSdk } from './sdk/build-sdk.ts';

const root = join(import.meta.dirname, '..');
const work = resolve(process.argv[2] ?? join(root, 'packages/client/build'));
const { directory, files } = await buildSdk({ root, work });
const packed = spawnSync('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', work], { cwd: directory, encoding: 'utf8' });
if (packed.status !== 0) throw new Error(`npm pack failed: ${packed.stderr}`);
const [{ filename, size }] = JSON.parse(packed.stdout) as [{ filename: string; size: number }];

for (const { path, bytes, gzipBytes } of files) console.error(`${path.padEnd(32)} ${kilobytes(bytes)}, gzip ${kilobytes(gzipBytes)}`);
console.error(`${filename.padEnd(32)} ${kilobytes(size)}`);
console.log(join(work, filename));

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1).padStart(6)} kB`;
}
