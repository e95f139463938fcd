import { readConfiguration, type SettingFlag, unknownVariables } from './configuration.ts';
import type { NodeConfiguration } from './configuration-schema.ts';
import { type HomeKey, homePaths, type OpenedHome, openHome, readConfigurationText } from './home.ts';
import { startLastingNode } from './lasting-node.ts';
import { RPC_PORT } from './new-testnet.ts';
import type { RunningNode } from './node.ts';
import { type NodeLog, openNodeLog } from './node-log.ts';
import { connectSigner } from './signer/connect-signer.ts';
import { listenForStop } from './stop-wish.ts';
import { SyncProgress } from './sync-progress.ts';

/** A clean stop that takes longer than this, in ms, is cut short; what was acknowledged is durable anyway. */
const STOP_MS_MAX = 30_000;
/** Between two looks at a node that may be catching up, in ms; where no terminal shows a bar, between two lines. */
const PROGRESS_MS = 250;
const PROGRESS_LINE_MS = 10_000;

export interface RunOptions {
  readonly home: string;
  readonly flags: Readonly<Partial<Record<SettingFlag, string>>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly terminal: (line: string) => void;
  /** Puts a text in place of the one before on a terminal; absent where there is none. */
  readonly bar?: (text: string) => void;
  /** Called once, when the RPC answers. */
  readonly ready: (node: RunningNode, configuration: NodeConfiguration) => void;
}

/**
 * Runs the node of a home in the foreground until it is told to stop: SIGINT, SIGTERM, SIGHUP, or the end of the descriptor that
 * `NACRE_LIFELINE` names, which a parent holds open. A second signal ends the process at once.
 *
 * @throws whatever keeps the node from starting, or stopped it: a full disk, a damaged store
 */
export async function runNode({ home, flags, environment, terminal, bar, ready }: RunOptions): Promise<void> {
  const paths = homePaths(home);
  const file = { path: paths.configuration, text: await readConfigurationText(paths) };
  const configuration = readConfiguration({ file, environment, flags });
  const { genesis: genesisPath, signer } = configuration;
  const opened = await openHome(paths, { genesisPath, signer, passphrase: environment.NACRE_PASSPHRASE });
  const log = await openNodeLog({ directory: paths.logs, configuration: configuration.logs, terminal });
  try {
    const ignored = unknownVariables(environment);
    if (ignored.length > 0) log.warn({ ignored }, 'environment variables that no setting has the name of are ignored');
    await runUntilTold(opened, configuration, { log, terminal, bar, environment, ready });
  } catch (error) {
    log.error({ error }, 'node failed');
    throw error;
  } finally {
    await log.close();
  }
}

interface Surroundings extends Pick<RunOptions, 'terminal' | 'environment' | 'ready'> {
  readonly bar: RunOptions['bar'] | undefined;
  readonly log: NodeLog;
}

async function runUntilTold(home: OpenedHome, configuration: NodeConfiguration, surroundings: Surroundings): Promise<void> {
  const { log, terminal, ready } = surroundings;
  const told = listenForStop(surroundings);
  const waiting = new AbortController();
  void told.stop.then(() => waiting.abort());
  let letGo = (): void => undefined;
  try {
    let validator: HomeKey | null = home.validator;
    if (configuration.signer !== undefined) {
      const connected = await connectSigner(home, configuration.signer.socket, { log, signal: waiting.signal });
      ({ validator, close: letGo } = connected);
    }
    const node = await startLastingNode({ ...home, validator }, configuration, { log, say: terminal });
    try {
      ready(node, configuration);
      const progress = showProgress(node, surroundings);
      void node.finished.catch(() => undefined).then(() => clearInterval(progress));
      void told.stop.then(() => clearInterval(progress));
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
  } catch (error) {
    // Told to stop while it waited for its signer: there was nothing to stop.
    if (!(waiting.signal.aborted && error === waiting.signal.reason)) throw error;
  } finally {
    letGo();
    told.close();
  }
}

/** Shows how far a node is that catches up. */
function showProgress(node: RunningNode, { terminal, bar }: Surroundings): NodeJS.Timeout {
  const progress = new SyncProgress();
  let isShown = false;
  const look = (): void => {
    const text = progress.look(node.status(), performance.now());
    if (bar === undefined) {
      if (text !== null) terminal(text);
    } else if (text !== null || isShown) {
      bar(text ?? '');
      isShown = text !== null;
    }
  };
  return setInterval(look, bar === undefined ? PROGRESS_LINE_MS : PROGRESS_MS);
}

/** The line that says where a node is, for people and for whoever waits for it. */
export function readyLine({ rpcUrl, multiaddrs }: Pick<RunningNode, 'rpcUrl' | 'multiaddrs'>, json: boolean): string {
  if (json) return JSON.stringify({ ready: true, rpc: rpcUrl, multiaddrs });
  const hint = rpcUrl.endsWith(`:${RPC_PORT}`) ? '' : `  (nacre --rpc ${rpcUrl} status)`;
  return `ready: RPC ${rpcUrl}, p2p ${multiaddrs.join(' ')}${hint}`;
}
