import { connect, type Topic } from '@nacre/client';
import type { Command } from 'commander';
import { NodeError } from '../../node-error.ts';
import type { CommandContext } from '../program.ts';
import { asRpcFailure } from '../rpc-client.ts';
import { wholeNumber } from '../whole-number.ts';

const TOPICS: readonly Topic[] = ['blocks', 'transactions', 'records', 'health'];
const COUNT_MAX = 2 ** 53 - 1;

interface WatchOptions {
  readonly service?: string;
  readonly cursor?: string;
  readonly count?: number;
}

/** `watch`: events as they are decided, one per line, across lost connections. */
export function addWatchCommand(program: Command, context: CommandContext): void {
  program
    .command('watch')
    .description('print what is decided, or the health of a node, as it happens, until interrupted')
    .argument('[topic]', TOPICS.join(', '), 'blocks')
    .option('--service <name>', 'whose records')
    .option('--cursor <cursor>', 'where to resume, as an earlier event named it')
    .option('--count <events>', 'end after so many', wholeNumber(1, COUNT_MAX), COUNT_MAX)
    .action(async (topic: string, options: WatchOptions) => {
      try {
        await watch(topic, options, context);
      } catch (error) {
        throw asRpcFailure(error);
      }
    });
}

async function watch(topic: string, { service, cursor, count = COUNT_MAX }: WatchOptions, { io, rpcUrl }: CommandContext): Promise<void> {
  const known = TOPICS.find((each) => each === topic);
  if (known === undefined) throw new NodeError('ARGUMENT_INVALID', `there is no topic ${topic}; there are ${TOPICS.join(', ')}`);
  if ((known === 'records') !== (service !== undefined)) {
    throw new NodeError('ARGUMENT_INVALID', 'the topic records, and no other, needs --service');
  }
  // The service belongs to one topic only, which has been seen to.
  const request = { topic: known, ...(service === undefined ? {} : { service }), ...(cursor === undefined ? {} : { cursor }) };
  const subscription = await connect(rpcUrl).subscribe(request as { topic: 'blocks' });
  let left = count;
  for await (const event of subscription) {
    io.stdout(`${JSON.stringify(event)}\n`);
    if (--left === 0) break;
  }
}
