/** The program `nacre`; `bin/nacre.mjs` runs it on the pinned Node.js. */

import { processIo } from './cli/process-io.ts';
import { runCli } from './cli/program.ts';

process.exitCode = await runCli(process.argv.slice(2), processIo());
