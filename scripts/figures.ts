// npm run figures: how fast it is on this machine. Four nodes under load as clients see them, block sync, blocks of a thousand records.
// Measures and judges nothing; ends the nodes that it started.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
/** Away from the ports of a testnet that may be running here. */
const BASE_PORT = 18_640;
const SECONDS = 8;

const directory = mkdtempSync(join(tmpdir(), 'nacre-figures-'));
const testnet = (...args: string[]) => ['packages/node/src/testnet/main.ts', '--directory', directory, ...args];

/** Runs a program of the repository. @returns whether it ended well */
function run(args: readonly string[]): boolean {
  return spawnSync(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

let isComplete = false;
try {
  isComplete =
    run(testnet('up', '--detach', '--no-feed', '--base-port', String(BASE_PORT))) &&
    run(['packages/node/src/main.ts', 'bench', '--testnet', directory, '--seconds', String(SECONDS)]);
} finally {
  run(testnet('reset'));
  rmSync(directory, { recursive: true, force: true });
}
process.exitCode = isComplete && run(['scripts/bench.ts', 'block sync', 'ledger.bench']) ? 0 : 1;
