import { rename, writeFile } from 'node:fs/promises';
import { type Checkpoint, checkpointFields, connect, formatCheckpoint } from '@nacre/client';
import type { Command } from 'commander';
import { readGenesis } from '../../home.ts';
import { NodeError } from '../../node-error.ts';
import { checkpointFileIfThere, TRUST_PERIOD_OPTION, type TrustOptions } from '../checkpoint-options.ts';
import type { CommandContext } from '../program.ts';
import { asRpcFailure } from '../rpc-client.ts';

interface CheckpointOptions extends TrustOptions {
  readonly genesis: string;
  readonly checkpoint: string;
}

/** `checkpoint`: a light client as one command. */
export function addCheckpointCommand(program: Command, context: CommandContext): void {
  program
    .command('checkpoint')
    .description('take a checkpoint on to the end of the chain, verifying every change of the validators; the node need not be trusted')
    .requiredOption('--genesis <file>', 'genesis file of the network')
    .requiredOption('--checkpoint <file>', 'checkpoint to go on from; if there is no such file, one is made from the genesis')
    .option(...TRUST_PERIOD_OPTION)
    .action(async (options: CheckpointOptions) => {
      const genesis = await readGenesis(options.genesis);
      const known = await checkpointFileIfThere(options.checkpoint);
      const client = connect(context.rpcUrl, {
        genesis,
        ...(known === undefined ? {} : { checkpoint: known }),
        ...(options.trustPeriod === undefined ? {} : { trustPeriodMs: options.trustPeriod }),
      });
      const checkpoint = await client.advance().catch((error: unknown) => {
        throw asRpcFailure(error);
      });
      await replaceFile(options.checkpoint, formatCheckpoint(checkpoint));
      const fields = checkpointFields(checkpoint);
      context.print({ network: genesis.network, fromHeight: known?.height ?? 0, ...fields }, () => lines(checkpoint, known));
    });
}

function lines(checkpoint: Checkpoint, known: Checkpoint | undefined): string[] {
  const { height, blockHash, timeMs, epoch, committeeHash } = checkpointFields(checkpoint);
  return [
    `verified from ${known === undefined ? 'the genesis' : `block ${known.height}`} to block ${height} (${new Date(timeMs).toISOString()})`,
    `block      ${blockHash}`,
    `epoch      ${epoch}`,
    `committee  ${committeeHash}, ${checkpoint.committee.size} validators`,
    ...(known === undefined ? ['Compare the block with what somebody you trust has, before you rely on this checkpoint.'] : []),
  ];
}

/** All of the new text or all of the old one, whenever the process ends. */
async function replaceFile(path: string, text: string): Promise<void> {
  try {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  } catch (cause) {
    throw new NodeError('FILE_INACCESSIBLE', `cannot write ${path}: ${(cause as Error).message}`, { cause, fields: { path } });
  }
}
