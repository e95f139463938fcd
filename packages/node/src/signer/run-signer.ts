import { resolve } from 'node:path';
import { formatAddress } from '@nacre/crypto';
import { VoteJournal } from '@nacre/ledger';
import { FileDirectory, LevelStore } from '@nacre/ledger/level';
import { SigningDesk } from '@nacre/replica';
import { readConfiguration } from '../configuration.ts';
import { homePaths, openHome, readConfigurationText } from '../home.ts';
import { NodeError } from '../node-error.ts';
import { openNodeLog } from '../node-log.ts';
import { requireOwnJournal } from '../require-own-journal.ts';
import { listenForStop } from '../stop-wish.ts';
import { STORE_FORMAT_VERSION } from '../store-format.ts';
import { systemRandom } from '../system-ports.ts';
import { SignerServer } from './signer-server.ts';

export interface RunSignerOptions {
  readonly home: string;
  /** Relative to the working directory; by default `signer.sock` in the home. */
  readonly socketPath: string | undefined;
  readonly socketMode: number;
  /** Kinds of operations that are signed in transactions. */
  readonly operations: readonly string[];
  /** The operator's word that nothing was signed above this height, which ends the doubt of the journal. */
  readonly recoverAbove: number | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly terminal: (line: string) => void;
  /** Called once, when the socket can be connected to. */
  readonly ready: (signer: RunningSigner) => void;
}

export interface RunningSigner {
  readonly address: string;
  readonly socket: string;
  /** Nothing is signed at this height or below. */
  readonly floorHeight: number;
  /** Why no votes are signed, or null. */
  readonly doubt: string | null;
}

/**
 * Runs the signer of a home in the foreground until it is told to stop. The home's store is opened for its lock, for its mark of the journal's
 * last place, and because it belongs to one network.
 *
 * @throws whatever keeps it from starting: `STORE_LOCKED`, `STORE_FOREIGN`, `SIGNER_SOCKET_IN_USE`; `JOURNAL_FAILED` later
 */
export async function runSigner(options: RunSignerOptions): Promise<void> {
  const { terminal, environment } = options;
  const paths = homePaths(options.home);
  const file = { path: paths.configuration, text: await readConfigurationText(paths) };
  const configuration = readConfiguration({ file, environment: {}, flags: {} });
  const { genesis, validator } = await openHome(paths, { genesisPath: configuration.genesis, passphrase: environment.NACRE_PASSPHRASE });
  if (validator === null) {
    throw new NodeError('HOME_INCOMPLETE', `${paths.directory} holds no validator's key`, {
      fields: { path: paths.validatorKey },
      hint: 'A signer runs on the home that `nacre init` made for the validator.',
    });
  }
  await using opened = new AsyncDisposableStack();
  const log = await openNodeLog({ directory: paths.logs, configuration: configuration.logs, terminal });
  opened.defer(() => log.close());
  const store = await LevelStore.open(paths.store, { formatVersion: STORE_FORMAT_VERSION, genesisHash: genesis.hash });
  opened.defer(() => store.close());
  const directory = new FileDirectory(paths.journal);
  opened.defer(() => directory.close());
  await requireOwnJournal({ paths, validator }, directory);
  const journal = await VoteJournal.open({ validator: validator.address }, { directory, store, random: systemRandom });
  if (options.recoverAbove !== undefined) await recover(journal, options.recoverAbove);
  const operations = new Set(options.operations);
  const desk = new SigningDesk({ genesis, operations }, { signer: validator.signer, journal, log });
  const socketPath = options.socketPath === undefined ? paths.signerSocket : resolve(options.socketPath);
  const { socketMode } = options;
  const told = listenForStop({ environment, terminal });
  opened.defer(() => told.close());
  const server = await SignerServer.listen({ socketPath, socketMode, genesisHash: genesis.hash }, { desk, log });
  opened.defer(() => server.close());
  const address = formatAddress(validator.address);
  const doubt = journal.doubt?.code ?? null;
  if (doubt !== null) log.error({ code: doubt }, DOUBT_EVENT);
  log.info({ address, socket: socketPath, floorHeight: journal.floorHeight }, 'signer started');
  options.ready({ address, socket: socketPath, floorHeight: journal.floorHeight, doubt });
  const why = await Promise.race([told.stop, server.failed]);
  log.info({ why }, 'signer stopping');
  terminal(`stopping: ${why}`);
}

const DOUBT_EVENT = 'journal in doubt: no votes are signed before --recover-above says above which height';

async function recover(journal: VoteJournal, floorHeight: number): Promise<void> {
  if (journal.doubt === null) {
    throw new NodeError('SIGNER_SOUND', "the signer's journal is sound; a new beginning would forget what it holds", {
      hint: 'Start it without --recover-above.',
    });
  }
  await journal.reset({ floorHeight });
}
