import { Command, CommanderError, Option } from 'commander';
import { RPC_PORT } from '../new-testnet.ts';
import { VERSION } from '../version.ts';
import { type CommandIo, print, reportFailure } from './command-io.ts';

import { addBenchCommand } from './commands/bench-command.ts';
import { addCheckpointCommand } from './commands/checkpoint-command.ts';
import { addCompletionCommand } from './commands/completion-command.ts';
import { addEvidenceCommand } from './commands/evidence-command.ts';
import { addHealthCommand } from './commands/health-command.ts';
import { addHomeCommands } from './commands/home-commands.ts';
import { addNodeCommands } from './commands/node-commands.ts';
import { addQueryCommands } from './commands/query-commands.ts';
import { addRecordCommands } from './commands/record-commands.ts';
import { addSignerCommand } from './commands/signer-command.ts';
import { addSnapshotCommand } from './commands/snapshot-command.ts';
import { addValidatorCommands } from './commands/validator-commands.ts';
import { addWatchCommand } from './commands/watch-command.ts';
import { EXIT } from './exit-status.ts';
import { callRpc } from './rpc-client.ts';

/** What every command has at hand. */
export interface CommandContext {
  readonly io: CommandIo;
  /** Prints the result: `data` with `--json`, else the lines. */
  print(data: unknown, lines: () => readonly string[]): void;
  /** Calls the node of `--rpc`. */
  call(method: string, params?: Readonly<Record<string, unknown>>, limits?: { readonly waitMs?: number }): Promise<unknown>;
  readonly json: boolean;
  readonly rpcUrl: string;
  /** The command did what it should and found something that scripts must see: the process ends with this. */
  exitWith(status: number): void;
}

const RPC_DEFAULT = `http://127.0.0.1:${RPC_PORT}`;

/** Runs one command line. @returns the exit status; nothing is thrown */
export async function runCli(args: readonly string[], io: CommandIo): Promise<number> {
  let status: number = EXIT.done;
  const program = new Command('nacre');
  const globals = (): { json?: true; rpc: string } => program.opts();
  const context: CommandContext = {
    io,
    get json() {
      return globals().json === true;
    },
    get rpcUrl() {
      return globals().rpc;
    },
    print: (data, lines) => print(io, context.json, data, lines),
    call: (method, params = {}, limits = {}) => callRpc(context.rpcUrl, method, params, limits),
    exitWith: (found) => {
      status = found;
    },
  };
  program
    .description('A network of nodes that keeps a shared, tamper-evident record of service data')
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeOut: io.stdout, writeErr: io.stderr })
    .configureHelp({ showGlobalOptions: true })
    .option('--json', 'print data as JSON, and errors as JSON on stderr')
    .addOption(new Option('--rpc <url>', 'RPC of the node to ask').env('NACRE_RPC').default(RPC_DEFAULT));
  addHomeCommands(program, context);
  addNodeCommands(program, context);
  addSignerCommand(program, context);
  addSnapshotCommand(program, context);
  addQueryCommands(program, context);
  addHealthCommand(program, context);
  addValidatorCommands(program, context);
  addEvidenceCommand(program, context);
  addRecordCommands(program, context);
  addCheckpointCommand(program, context);
  addWatchCommand(program, context);

  addBenchCommand(program, context);
  addCompletionCommand(program, context);
  try {
    await program.parseAsync(args, { from: 'user' });
    return status;
  } catch (error) {
    // Commander has printed help, version or its complaint by now.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    return reportFailure(io, args.includes('--json'), error);
  }
}
