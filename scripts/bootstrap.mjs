// Installs what the lock file asks for when it has changed since the last install. Plain JavaScript, so that
// it runs on whatever Node.js the machine has (20 or newer); everything after it runs on the pinned one.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stampFile = join(root, 'node_modules', '.nacre-bootstrap');
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const installed = existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : '';

const major = Number(process.versions.node.split('.')[0]);
if (major < 20) {
  console.error(`Node.js 20 or newer is needed to start; this is ${process.versions.node}.`);
  process.exit(1);
}
if (installed !== wanted) {
  console.error('Installing dependencies …');
  // Not `npm ci`: it refuses a lock file that lacks the optional binaries of platforms which the registry it was
  // made against did not offer. This takes the locked versions too, checks them, and leaves the lock file alone.
  const options = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const result = spawnSync('npm', ['install', ...options], { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) {
    console.error('npm install failed; see the lines above. Nothing was started.');
    process.exit(result.status ?? 1);
  }
  writeFileSync(stampFile, wanted);
}
