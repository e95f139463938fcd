import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { NacreError } from '@nacre/base';
import { isName } from '@nacre/ledger';
import type { CommandIo } from '../cli/command-io.ts';
import { readGenesis } from '../home.ts';
import { watchLifeline } from '../lifeline.ts';
import { askLine } from '../line-socket.ts';
import { NodeError } from '../node-error.ts';
import { feedPrices } from './price-feed.ts';
import { type DailyPrice, readPrices } from './prices.ts';
import { Progress } from './progress.ts';
import { type FeedStatus, Supervisor, type SupervisorStatus } from './supervisor.ts';
import { TestnetError } from './testnet-error.ts';
import { openOrCreateTestnet, type TestnetFiles, type TestnetOptions } from './testnet-files.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
/** S&P 500, daily, 3 January 2000 to 17 April 2020; shipped in the npm package vega-datasets (BSD-3-Clause), from Yahoo Finance. */
const SP500 = new URL('../data/sp500-2000.csv', import.meta.resolve('vega-datasets'));
const SP500_SERVICE = 'prices/sp500';
const STATUS_MS_MAX = 10_000;
const POLL_MS = 100;

export interface UpOptions extends TestnetOptions {
  readonly directory: string;
  /** Null feeds nothing. */
  readonly feed: { readonly prices: string | null } | null;
}

interface Source {
  readonly service: string;
  readonly prices: readonly DailyPrice[];
  readonly credit: string;
}

/** @returns what the supervisor says, or null if the testnet is not running. @throws {NodeError} `ADMIN_UNREACHABLE` if it does not answer */
export async function supervisorStatus(files: TestnetFiles): Promise<SupervisorStatus | null> {
  try {
    return (await askLine(files.socket, 'status', {}, STATUS_MS_MAX)) as SupervisorStatus;
  } catch (error) {
    if (error instanceof NodeError && error.code === 'ADMIN_UNREACHABLE' && error.fields.absent === true) return null;
    throw error;
  }
}

/**
 * Starts the testnet and the feed, and stays until a signal, `down`, or the end of the parent process; then ends every node.
 *
 * @throws {TestnetError}, {PricesError} and errors of homes, before anything runs; `TESTNET_NODE_FAILED`
 */
export async function up(options: UpOptions, io: CommandIo): Promise<void> {
  const say = (line: string): void => io.stderr(`${line}\n`);
  const source = options.feed === null ? null : await readSource(options.feed.prices);
  const files = await openOrCreateTestnet(options.directory, options);
  if ((await supervisorStatus(files)) !== null) {
    say('The testnet is running already: scripts/testnet status');
    return;
  }
  const supervisor = new Supervisor(files, say);
  const ending = new AbortController();
  const stop = listenForStop(supervisor, ending, io);
  try {
    say(`Starting ${files.nodes.length} nodes in ${files.directory}`);
    await supervisor.start(await readGenesis(files.genesis));
    await supervisor.untilReady(ending.signal);
    if (!ending.signal.aborted) {
      for (const { index, host, rpcPort } of files.nodes) say(`node ${index} is ready: RPC http://${host}:${rpcPort}`);
      const feeding = source === null ? Promise.resolve() : runFeed(supervisor, files, { source, signal: ending.signal, say });
      void feeding.then(() => {
        if (!ending.signal.aborted) say(whatToTry(source?.service ?? null));
      });
      await stop;
      await feeding;
    }
  } finally {
    ending.abort();
    say('Stopping all nodes');
    await supervisor.stop();
    (await stop).close();
    say('All nodes are stopped. The same command starts them again.');
  }
}

/** Starts `up` in the background. @returns once all nodes are ready and the feed has been started */
export async function upDetached(options: UpOptions, args: readonly string[], io: CommandIo): Promise<void> {
  if (options.feed !== null) await readSource(options.feed.prices);
  const files = await openOrCreateTestnet(options.directory, options);
  if ((await supervisorStatus(files)) !== null) {
    io.stderr('The testnet is running already: scripts/testnet status\n');
    return;
  }
  const output = openSync(files.log, 'w', 0o600);
  const child = spawn(process.execPath, [MAIN, ...args], {
    detached: true,
    stdio: ['ignore', output, output],
    env: withoutLifeline(),
  });
  closeSync(output);
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  for (;;) {
    await sleep(POLL_MS);
    if (ended) {
      const text = await readFile(files.log, 'utf8');
      throw new TestnetError('TESTNET_NODE_FAILED', `the testnet did not start:\n${text.trim()}`, { fields: { log: files.log } });
    }
    const status = await supervisorStatus(files);
    if (status?.ready && (options.feed === null || status.feed.state !== 'off')) break;
  }
  child.unref();
  for (const { index, host, rpcPort } of files.nodes) io.stderr(`node ${index} is ready: RPC http://${host}:${rpcPort}\n`);
  io.stderr('Running in the background. scripts/testnet status | logs 0 | down\n');
}

async function readSource(file: string | null): Promise<Source> {
  if (file === null) {
    const credit = 'Daily S&P 500 prices 2000-2020 from the npm package vega-datasets (BSD-3-Clause; data by Yahoo Finance)';
    return { service: SP500_SERVICE, prices: await readPrices(fileURLToPath(SP500)), credit };
  }
  const service = `prices/${basename(file, extname(file)).toLowerCase()}`;
  if (!isName(service)) {
    throw new NodeError('ARGUMENT_INVALID', `the file name gives the service ${JSON.stringify(service)}, which is no name`, {
      fields: { argument: 'prices', service },
      hint: 'Rename the file to letters, digits, dots, dashes and underscores.',
    });
  }
  return { service, prices: await readPrices(file), credit: `Daily prices from ${file}` };
}

interface Feeding {
  readonly source: Source;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Feeds and keeps the supervisor's status up to date. A feed that fails leaves the nodes running. */
async function runFeed(supervisor: Supervisor, files: TestnetFiles, { source, signal, say }: Feeding): Promise<void> {
  const { service, prices, credit } = source;
  const [first] = files.nodes;
  const total = prices.length;
  const tell = (state: FeedStatus['state'], rows: number, problem: string | null): void => {
    supervisor.feed = { state, rows, total, problem };
  };
  tell('running', 0, null);
  say(`Recording ${total} rows in service ${service}. ${credit}.`);
  const progress = new Progress(total, process.stderr);
  try {
    const done = await feedPrices({
      rpcUrl: `http://${first?.host}:${first?.rpcPort}`,
      service,
      prices,
      signal,
      progress: (rows, problem) => {
        tell('running', rows, problem);
        progress.show(rows, problem);
      },
    });
    if (done) tell('done', total, null);
    progress.end();
    if (done) say(`All ${total} rows are recorded.`);
  } catch (error) {
    progress.end();
    const problem = error instanceof Error ? error.message : String(error);
    tell('failed', supervisor.feed.rows, problem);
    say(`The feed stopped: ${problem}${error instanceof NacreError && error.hint !== undefined ? `\n${error.hint}` : ''}`);
  }
}

/** Everything that ends an `up`: signals, `down`, and the end of the process that started it. */
function listenForStop(supervisor: Supervisor, ending: AbortController, { environment }: CommandIo): Promise<{ close: () => void }> {
  const { promise, resolve } = Promise.withResolvers<{ close: () => void }>();
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const end = (): void => {
    ending.abort();
    resolve({ close });
  };
  const endWatch = watchLifeline(environment, end);
  const close = (): void => {
    endWatch();
    for (const signal of signals) process.off(signal, end);
  };
  for (const signal of signals) process.on(signal, end);
  ending.signal.addEventListener('abort', () => resolve({ close }));
  void supervisor.toldToStop.then(end);
  return promise;
}

function withoutLifeline(): NodeJS.ProcessEnv {
  const { NACRE_LIFELINE: _, ...environment } = process.env;
  return environment;
}

function whatToTry(service: string | null): string {
  const records =
    service === null
      ? []
      : [
          `  npx nacre record list --service ${service} --newest-first --limit 5`,
          `  npx nacre record proof --service ${service} --index 7 | npx nacre verify --genesis .testnet/genesis.json`,
        ];
  return [
    'Try, in another terminal:',
    '  npx nacre status',
    ...records,
    '  npx nacre submit --service notes \'{"hello":"world"}\'',
    '  npx nacre watch blocks',
    '  scripts/testnet kill 3      then status, restart 3',
    '',
    'Ctrl-C stops all nodes.',
  ].join('\n');
}
