// Runs a TypeScript entry on the Node.js that the project pins, whatever the machine's own is (20 or newer). Plain JavaScript for that reason.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const PINNED = join(ROOT, 'node_modules', 'node', 'bin', 'node');
/** Passed on to what runs: a daemon stops when this descriptor reaches its end, so killing the launcher leaves no orphan. */
const LIFELINE_FD = 3;

function isRecentEnough() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major === 24 && minor >= 21;
}

const PARENT_POLL_MS = 500;

/** A parent that is gone shows by another one in its place. */
function whenParentIsGone(act) {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && act(), PARENT_POLL_MS).unref();
}

/**
 * @param {URL} entry the .ts file
 * @param {{ endWithParent?: boolean }} options `endWithParent`: stop what runs when the process that started this one is gone. By default
 *   so under npm and npx, which end without passing their signals on.
 */
export async function launch(entry, { endWithParent = 'npm_command' in process.env } = {}) {
  if (isRecentEnough()) {
    process.argv[1] = fileURLToPath(entry);
    if (endWithParent) whenParentIsGone(() => process.kill(process.pid, 'SIGTERM'));
    await import(entry.href);
    return;
  }
  if (!existsSync(PINNED)) {
    console.error(`Node.js 24.21 is needed; this is ${process.versions.node}, and ${PINNED} does not exist. Run: npm run bootstrap`);
    process.exit(1);
  }
  const child = spawn(PINNED, [fileURLToPath(entry), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, NACRE_LIFELINE: String(LIFELINE_FD) },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  if (endWithParent) whenParentIsGone(() => child.kill('SIGTERM'));
  child.on('error', (error) => {
    console.error(`Cannot run ${PINNED}: ${error.message}`);
    process.exit(1);
  });
  child.on('close', (code, signal) => process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
}
