import { readConfiguration, type SettingFlag, unknownVariables } from './configuration.ts';
import type { NodeConfiguration } from './configuration-schema.ts';
import { homePaths, type OpenedHome, openHome, readConfigurationText } from './home.ts';
import { watchLifeline } from './lifeline.ts';
import { RPC_PORT } from './new-testnet.ts';
import { type RunningNode, startNode } from './node.ts';
import { type NodeLog, openNodeLog } from './node-log.ts';

/** Signals this close together are one wish: a terminal signals the whole group, and launchers pass on what they get. */
const SAME_SIGNAL_MS = 1_000;
/** A clean stop that takes longer than this, in ms, is cut short; what was acknowledged is durable anyway. */
const STOP_MS_MAX = 30_000;

export interface RunOptions {
  readonly home: string;
  readonly flags: Readonly<Partial<Record<SettingFlag, string>>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly terminal: (line: string) => void;
  /** Called once, when the RPC answers. */
  readonly ready: (node: RunningNode, configuration: NodeConfiguration) => void;
}

/**
 * Runs the node of a home in the foreground until it is told to stop: SIGINT, SIGTERM, SIGHUP, or the end of the descriptor that
 * `NACRE_LIFELINE` names, which a parent holds open. A second signal ends the process at once.
 *
 * @throws whatever keeps the node from starting, or stopped it: a full disk, a damaged store
 */
export async function runNode({ home, flags, environment, terminal, ready }: RunOptions): Promise<void> {
  const paths = homePaths(home);
  const file = { path: paths.configuration, text: await readConfigurationText(paths) };
  const configuration = readConfiguration({ file, environment, flags });
  const opened = await openHome(paths, { genesisPath: configuration.genesis, passphrase: environment.NACRE_PASSPHRASE });
  const log = await openNodeLog({ directory: paths.logs, configuration: configuration.logs, terminal });
  try {
    const ignored = unknownVariables(environment);
    if (ignored.length > 0) log.warn({ ignored }, 'environment variables that no setting has the name of are ignored');
    await runUntilTold(opened, configuration, { log, terminal, environment, ready });
  } catch (error) {
    log.error({ error }, 'node failed');
    throw error;
  } finally {
    await log.close();
  }
}

interface Surroundings extends Pick<RunOptions, 'terminal' | 'environment' | 'ready'> {
  readonly log: NodeLog;
}

async function runUntilTold(home: OpenedHome, configuration: NodeConfiguration, surroundings: Surroundings): Promise<void> {
  const { log, terminal, ready } = surroundings;
  const told = listenForStop(surroundings);
  try {
    const node = await startNode(home, configuration, log);
    try {
      ready(node, configuration);
      const why = await Promise.race([told.stop, node.finished.then(() => 'the replica ended')]);
      log.info({ why }, 'node stopping');
      terminal(`stopping: ${why}`);
    } finally {
      const late = setTimeout(() => {
        terminal(`not stopped within ${STOP_MS_MAX / 1000} s, ending now`);
        process.exit(1);
      }, STOP_MS_MAX);
      await node.stop();
      clearTimeout(late);
    }
    log.info({}, 'node stopped');
  } finally {
    told.close();
  }
}

/** Everything that can tell this process to stop. */
function listenForStop({ environment, terminal }: Pick<Surroundings, 'environment' | 'terminal'>): {
  stop: Promise<string>;
  close: () => void;
} {
  const { promise: stop, resolve } = Promise.withResolvers<string>();
  let firstAtMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (firstAtMs !== null && performance.now() - firstAtMs > SAME_SIGNAL_MS) {
      terminal(`second ${signal}: ending now`);
      process.exit(1);
    }
    firstAtMs ??= performance.now();
    resolve(signal);
  };
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, onSignal);
  const endWatch = watchLifeline(environment, () => resolve('whoever started this process is gone'));
  return {
    stop,
    close: () => {
      for (const signal of signals) process.off(signal, onSignal);
      endWatch();
    },
  };
}

/** The line that says where a node is, for people and for whoever waits for it. */
export function readyLine({ rpcUrl, multiaddrs }: Pick<RunningNode, 'rpcUrl' | 'multiaddrs'>, json: boolean): string {
  if (json) return JSON.stringify({ ready: true, rpc: rpcUrl, multiaddrs });
  const hint = rpcUrl.endsWith(`:${RPC_PORT}`) ? '' : `  (nacre --rpc ${rpcUrl} status)`;
  return `ready: RPC ${rpcUrl}, p2p ${multiaddrs.join(' ')}${hint}`;
}
