// npm run faults: real nodes through faults by seed. See README.md beside this directory.
import { runFaults } from './run-faults.ts';

process.exitCode = await runFaults(process.argv.slice(2));
