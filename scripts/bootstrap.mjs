// Installs what the lock file asks for when it has changed since the last install. Plain JavaScript, so that
// it runs on whatever Node.js the machine has (20 or newer); everything after it runs on the pinned one.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..');
const stampFile = join(root, 'node_modules', '.nacre-bootstrap');
const wanted = createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex');
const installed = existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : '';

const major = Number(process.versions.node.split('.')[0]);
if (major < 20) {
  console.error(`Node.js 20 or newer is needed to start; this is ${process.versions.node}.`);
  process.exit(1);
}
if (installed !== wanted) {
  console.error('Installing dependencies (npm ci) …');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) {
    console.error('npm ci failed; see the lines above. Nothing was started.');
    process.exit(result.status ?? 1);
  }
  writeFileSync(stampFile, wanted);
}
