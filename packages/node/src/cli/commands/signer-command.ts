import { type Command, Option } from 'commander';
import { OPERATIONS_SIGNED, operationsSigned } from '../../signer/signed-operations.ts';
import type { CommandContext } from '../program.ts';
import { wholeNumber } from '../whole-number.ts';

interface SignerFlags {
  readonly home: string;
  readonly socket?: string;
  readonly socketMode: '600' | '660';
  readonly allow?: string;
  readonly recoverAbove?: number;
}

const HELP = `
The home is one that \`nacre init\` made, with key, identity and vote journal. The node that votes with the key has a home of its own, made
with \`nacre init --signer SOCKET\`, and holds no key.

Votes and proposals are read before they are signed, and are durable in the journal before the signature leaves: two different ones at one
place are refused for ever, whoever asks. One node at a time is served; a second one waits until the first one's connection ends.

If the journal may have forgotten votes (a lost or damaged file, never after a crash), no votes are signed. --recover-above HEIGHT ends that: it
is your word that the key has signed nothing above HEIGHT. Stop every process with this key, ask several other nodes for the height of their
latest block, and give a height well above it, by 100 for example: the validator is silent until the network has passed it.`;

/** `signer`: the process that holds a validator's key. */
export function addSignerCommand(program: Command, context: CommandContext): void {
  program
    .command('signer')
    .description("hold a validator's key and sign for its node over a Unix socket, in the foreground")
    .requiredOption('--home <dir>', "home with the validator's key and journal; NACRE_PASSPHRASE decrypts the key")
    .option('--socket <path>', 'socket to make (default: signer.sock in the home)')
    .addOption(
      new Option('--socket-mode <mode>', 'who may connect: the same user, or its group, too').choices(['600', '660']).default('600'),
    )
    .option('--allow <operations>', `operations signed in transactions beside ${OPERATIONS_SIGNED.join(', ')}; separated by commas`)
    .option('--recover-above <height>', 'a journal in doubt begins anew: nothing was signed above this height', wholeNumber(1, 2 ** 52))
    .addHelpText('after', HELP)
    .action(async ({ home, socket, socketMode, allow, recoverAbove }: SignerFlags) => {
      // Nothing that this process makes is for others, the socket not even until its mode is set.
      process.umask(0o077);
      // LevelDB and the wire formats take a moment to load, which the short commands are spared.
      const { runSigner } = await import('../../signer/run-signer.ts');
      await runSigner({
        home,
        socketPath: socket,
        socketMode: Number.parseInt(socketMode, 8),
        operations: operationsSigned(allow),
        recoverAbove,
        environment: context.io.environment,
        terminal: (line) => context.io.stderr(`${line}\n`),
        ready: ({ address, socket: path, floorHeight, doubt }) => {
          const state = doubt === null ? `above height ${floorHeight}` : `NO VOTES: its journal is in doubt (${doubt})`;
          const line = context.json
            ? JSON.stringify({ ready: true, address, socket: path, floorHeight, doubt })
            : `ready: signs for ${address} on ${path}, ${state}`;
          context.io.stdout(`${line}\n`);
        },
      });
    });
}
