import { readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { readConfiguration } from '../../configuration.ts';
import { homePaths, openHome, readConfigurationText } from '../../home.ts';
import { NodeError } from '../../node-error.ts';
import { table } from '../command-io.ts';
import type { CommandContext } from '../program.ts';
import { wholeNumber } from '../whole-number.ts';

interface Options {
  readonly testnet: string;
  readonly samples: number;
  readonly seconds: number;
  readonly memoryMinutes: number;
}

/** `bench`: what a running local testnet does, as clients see it. */
export function addBenchCommand(program: Command, context: CommandContext): void {
  program
    .command('bench')
    .description('load a running local testnet and print latency, throughput and memory; it records what it sends')
    .option('--testnet <dir>', 'directory with the homes of its validators, whose keys sponsor the load', '.testnet')
    .option('--samples <count>', 'transactions of the latency run', wholeNumber(10, 100_000), 300)
    .option('--seconds <count>', 'length of each throughput run', wholeNumber(1, 600), 10)
    .option('--memory-minutes <count>', 'watch memory under load for so long', wholeNumber(0, 600), 0)
    .action(async ({ testnet, samples, seconds, memoryMinutes }: Options) => {
      const { measureTestnet } = await import('../../bench/measure-testnet.ts');
      const { nodes, genesis } = await openNodes(testnet, context);
      const say = (line: string): void => context.io.stderr(`${line}\n`);
      const options = { latencySamples: samples, seconds, memoryMinutes };
      const report = await measureTestnet(nodes, { genesis, options, say });
      const [cpu] = cpus();
      const machine = `${cpu?.model.trim()}, ${cpus().length} cores`;
      context.print({ machine, nodes: nodes.length, ...report }, () => [
        `${machine}; ${nodes.length} nodes and this program; syncing 4 KiB takes ${report.syncMs.toFixed(2)} ms`,
        ...table([
          [
            'unloaded commit latency',
            `p50 ${report.latency.p50Ms.toFixed(1)} ms, p99 ${report.latency.p99Ms.toFixed(1)} ms`,
            `${report.latency.samples} transactions`,
          ],
          ['single signatures', `${report.single.perSecond.toFixed(0)} transactions/s`, `${report.single.transactions} transactions`],
          ['batches of 100', `${report.batched.perSecond.toFixed(0)} records/s of 250 B`, `${report.batched.records} records`],
          ...(report.memory === null
            ? []
            : [['memory', `${report.memory.growth.toFixed(2)} times that of minute 1`, `after ${report.memory.minutes.length} minutes`]]),
        ]),
      ]);
    });
}

async function openNodes(directory: string, { io }: CommandContext) {
  const names = listHomes(directory);
  const homes = await Promise.all(
    names.map(async (name) => {
      const paths = homePaths(join(directory, name));
      const file = { path: paths.configuration, text: await readConfigurationText(paths) };
      const { rpc, genesis } = readConfiguration({ file, environment: {}, flags: {} });
      const opened = await openHome(paths, { genesisPath: genesis, passphrase: io.environment.NACRE_PASSPHRASE });
      return { url: `http://${rpc.host}:${rpc.port}`, home: paths.directory, validator: opened.validator, genesis: opened.genesis };
    }),
  );
  const nodes = homes.flatMap(({ validator, ...rest }) => (validator === null ? [] : [{ ...rest, validator }]));
  const [first] = nodes;
  if (first === undefined) throw noTestnet(directory);
  return { nodes, genesis: first.genesis };
}

function listHomes(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => /^node\d+$/.test(name));
  } catch {
    throw noTestnet(directory);
  }
}

function noTestnet(directory: string): NodeError {
  const hint = 'Start one with `npm run testnet`, or name its directory with --testnet.';
  return new NodeError('HOME_INCOMPLETE', `no homes of validators in ${directory}`, { fields: { directory }, hint });
}
