import { createReadStream, existsSync } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { COMMITTEE_SIZE_MAX } from '@nacre/base';
import type { ChainParameters } from '@nacre/ledger';
import { Command, CommanderError } from 'commander';
import { type CommandIo, print, reportFailure, table } from '../cli/command-io.ts';
import { EXIT } from '../cli/exit-status.ts';
import { parameterOption } from '../cli/parameter-option.ts';
import { callRpc } from '../cli/rpc-client.ts';
import { wholeNumber } from '../cli/whole-number.ts';
import { readGenesis } from '../home.ts';
import { askLine } from '../line-socket.ts';
import { heal, parseSides, partition } from './partition.ts';
import { endLeftovers } from './supervisor.ts';
import { TestnetError } from './testnet-error.ts';
import { openTestnet, type TestnetFiles } from './testnet-files.ts';
import { supervisorStatus, type UpOptions, up, upDetached } from './up.ts';

/** Commands that wait for a node to end: a clean stop is cut short after this, in ms. */
const COMMAND_MS_MAX = 60_000;
const POLL_MS = 100;
const LOG_LINES = 40;

interface Flags {
  readonly parameter?: Partial<ChainParameters>;
  readonly nodes?: number;
  readonly basePort?: number;
  readonly detach?: true;
  readonly feed: boolean;
  readonly prices?: string;
}

/** Runs one command line of `scripts/testnet`. @param root where `.testnet` stands. @returns the exit status */
export async function runTestnetCli(args: readonly string[], io: CommandIo, root: string): Promise<number> {
  const program = new Command('testnet');
  const settings = (): { json?: true; directory: string } => program.opts();
  const open = (): Promise<TestnetFiles> => openTestnet(settings().directory);
  const show = (data: unknown, lines: () => readonly string[]): void => print(io, settings().json === true, data, lines);
  program
    .description('A network of validators on this machine')
    .exitOverride()
    .configureOutput({ writeOut: io.stdout, writeErr: io.stderr })
    .configureHelp({ showGlobalOptions: true })
    .option('--json', 'print data as JSON')
    .option('--directory <dir>', 'where the testnet lives', join(root, '.testnet'));
  program
    .command('up', { isDefault: true })
    .description('make the testnet if there is none, start it, and feed it prices')
    .option('--nodes <count>', 'validators of a new testnet', wholeNumber(1, COMMITTEE_SIZE_MAX))
    .option(
      '--base-port <port>',
      'RPC port of node 0 of a new testnet; node i has this plus i, and p2p 1,000 higher',
      wholeNumber(1024, 65_535),
    )
    .option('--parameter <name=value...>', 'genesis parameters of a new testnet other than the defaults', parameterOption)
    .option('--detach', 'return when all nodes are ready and the feed has been started')
    .option('--no-feed', 'start the nodes only')
    .option('--prices <file>', 'feed this CSV of daily prices instead (date,open,high,low,close,volume)')
    .action(async ({ nodes, basePort, parameter, detach, feed, prices }: Flags) => {
      const { directory } = settings();
      const options: UpOptions = { directory, nodes, basePort, parameters: parameter, feed: feed ? { prices: prices ?? null } : null };
      if (detach !== true) return up(options, io);
      const without = args.filter((argument) => argument !== '--detach');
      return upDetached(options, without, io);
    });
  addStateCommands(program, { io, open, show, directory: () => settings().directory });
  addNodeCommands(program, { open, show });
  try {
    await program.parseAsync(args, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    return reportFailure(io, args.includes('--json'), error);
  }
}

interface Context {
  readonly open: () => Promise<TestnetFiles>;
  readonly show: (data: unknown, lines: () => readonly string[]) => void;
}

function addStateCommands(program: Command, { io, open, show, directory }: Context & { io: CommandIo; directory: () => string }): void {
  program
    .command('down')
    .description('stop all nodes; what is recorded stays')
    .action(async () => {
      const stopped = await down(await open());
      show({ stopped }, () => [stopped ? 'stopped' : 'was not running']);
    });
  program
    .command('status')
    .description('processes, heights and states')
    .action(async () => {
      const files = await open();
      const running = await supervisorStatus(files);
      const nodes = await Promise.all(
        files.nodes.map(async ({ index, host, rpcPort }) => {
          const found = running?.nodes[index];
          const rpc = `http://${host}:${rpcPort}`;
          return {
            index,
            process: found?.state ?? 'stopped',
            pid: found?.pid ?? null,
            rpc,
            ...(found?.state === 'running' ? await askNode(rpc) : {}),
          };
        }),
      );
      show({ running: running !== null, feed: running?.feed ?? null, nodes }, () => [
        ...table([
          ['node', 'process', 'pid', 'RPC', 'height', 'state'],
          ...nodes.map((node) => {
            const { height = '-', state = '-', reason = null } = node as { height?: number; state?: string; reason?: string | null };
            return [
              String(node.index),
              node.process,
              String(node.pid ?? '-'),
              node.rpc,
              String(height),
              reason === null ? state : `${state}: ${reason}`,
            ];
          }),
        ]),
        ...(running === null || running.feed.state === 'off'
          ? []
          : [`feed ${running.feed.state}: ${running.feed.rows} of ${running.feed.total} rows`]),
      ]);
    });
  program
    .command('logs')
    .description('the end of a node’s log')
    .argument('<node>', 'its number', wholeNumber(0, COMMITTEE_SIZE_MAX - 1))
    .option('-f, --follow', 'go on as the log grows')
    .action(async (index: number, { follow }: { follow?: true }) => {
      const path = join(nodeOf(await open(), index).home, 'logs', 'current.log');
      const text = existsSync(path) ? await readFile(path, 'utf8') : '';
      io.stdout(
        `${text
          .split('\n')
          .slice(-LOG_LINES - 1)
          .join('\n')}`,
      );
      let offset = Buffer.byteLength(text);
      while (follow === true) {
        await sleep(POLL_MS);
        const { size } = await stat(path).catch(() => ({ size: 0 }));
        // A smaller file is a new one: the log was rotated.
        if (size < offset) offset = 0;
        if (size === offset) continue;
        for await (const chunk of createReadStream(path, { start: offset, end: size - 1 })) io.stdout(String(chunk));
        offset = size;
      }
    });
  program
    .command('reset')
    .description('stop all nodes and remove the testnet with everything recorded in it')
    .action(async () => {
      const files = await open().catch((error: unknown) => {
        // One that is half made has no description, and is what this command is for.
        if (error instanceof TestnetError) return null;
        throw error;
      });
      if (files !== null) await down(files);
      await rm(directory(), { recursive: true, force: true });
      show({ removed: directory() }, () => [`removed ${directory()}`]);
    });
}

function addNodeCommands(program: Command, { open, show }: Context): void {
  for (const [name, description] of [
    ['kill', 'end a node at once, as a crash would (SIGKILL)'],
    ['pause', 'freeze a node (SIGSTOP)'],
    ['resume', 'let a frozen node go on (SIGCONT)'],
    ['restart', 'start a node, after stopping it cleanly if it runs'],
  ] as const) {
    program
      .command(name)
      .description(description)
      .argument('<node>', 'its number', wholeNumber(0, COMMITTEE_SIZE_MAX - 1))
      .action(async (index: number) => {
        const files = await open();
        nodeOf(files, index);
        if ((await supervisorStatus(files)) === null) throw notRunning(files);
        await askLine(files.socket, name, { node: index }, COMMAND_MS_MAX);
        show({ node: index, done: name }, () => [`node ${index}: ${name} done`]);
      });
  }
  program
    .command('partition')
    .description("cut the network into sides that cannot reach each other, for example '0,1|2,3'")
    .argument('<sides>', 'numbers separated by commas, sides by |')
    .action(async (text: string) => {
      const files = await open();
      const sides = parseSides(text, files.nodes.length);
      await partition(sides, files, await readGenesis(files.genesis));
      show({ sides }, () => [`cut: ${sides.map((side) => side.join(',')).join(' | ')}`]);
    });
  program
    .command('heal')
    .description('let all nodes reach each other again')
    .action(async () => {
      const files = await open();
      await heal(files, await readGenesis(files.genesis));
      show({ healed: true }, () => ['all nodes may connect to each other']);
    });
}

/** @returns whether anything ran */
async function down(files: TestnetFiles): Promise<boolean> {
  const running = (await supervisorStatus(files)) !== null;
  if (running) await askLine(files.socket, 'stop', {}, COMMAND_MS_MAX);
  const deadline = performance.now() + COMMAND_MS_MAX;
  // The supervisor closes its socket last.
  while (running && (await supervisorStatus(files)) !== null) {
    if (performance.now() > deadline)
      throw new TestnetError('TESTNET_NODE_STATE', `the nodes did not stop within ${COMMAND_MS_MAX / 1000} s`);
    await sleep(POLL_MS);
  }
  await endLeftovers(files);
  return running;
}

async function askNode(rpc: string): Promise<{ height?: number; state?: string; reason?: string | null }> {
  try {
    const { chains, networkState } = (await callRpc(rpc, 'node_status', {})) as {
      chains?: readonly { readonly height: number }[];
      networkState?: { readonly state: string; readonly reason: string | null };
    };
    return { height: chains?.[0]?.height ?? 0, state: networkState?.state ?? '-', reason: networkState?.reason ?? null };
  } catch {
    return { state: 'RPC does not answer' };
  }
}

function nodeOf(files: TestnetFiles, index: number): TestnetFiles['nodes'][number] {
  const node = files.nodes[index];
  if (node !== undefined) return node;
  throw new TestnetError('TESTNET_NODE_STATE', `there is no node ${index}; they go from 0 to ${files.nodes.length - 1}`, {
    fields: { node: index, nodes: files.nodes.length },
  });
}

function notRunning({ directory }: TestnetFiles): TestnetError {
  return new TestnetError('TESTNET_STOPPED', `the testnet in ${directory} is not running`, {
    fields: { directory },
    hint: 'Start it with `scripts/testnet up`.',
  });
}
