/** The program behind `scripts/testnet`. */
import { fileURLToPath } from 'node:url';
import { processIo } from '../cli/process-io.ts';
import { runTestnetCli } from './testnet-program.ts';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

process.exitCode = await runTestnetCli(process.argv.slice(2), processIo(), ROOT);
