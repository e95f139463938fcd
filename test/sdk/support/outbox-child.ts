/**
 * A program with an outbox: submits numbered notes from where it is told on, says when each is kept and how each ended, and ends by itself only
 * when all have. Whoever runs it kills it before.
 */
import { readFileSync } from 'node:fs';
import { connect, loadSeed, Outbox, ServiceToConsensusConnector } from '@nacre/client';
import { FileOutboxStore } from '@nacre/client/outbox-file';
import { NOTE, type OutboxChildOptions } from './outbox-child-options.ts';

const options = JSON.parse(process.argv[2] as string) as OutboxChildOptions;
const client = connect(options.urls, { genesis: readFileSync(options.genesisFile, 'utf8') });
const account = loadSeed(new Uint8Array(Buffer.from(options.seed, 'hex')));
const levels = new ServiceToConsensusConnector(client, { account });

/** Written before this returns, as pipes are, so that a kill cannot come in between. */
function say(...words: readonly (string | number)[]): void {
  process.stdout.write(`${words.join(' ')}\n`);
}

const outbox = await Outbox.open(
  { account, validForMs: options.validForMs, onFinal: ({ id, status, txId }) => say('final', id, status, txId) },
  { client, store: await FileOutboxStore.open(options.directory) },
);
say('open', outbox.items().length);
for (const number of options.numbers) {
  const operation = levels.appendOperation('notes', [{ number }], { schema: NOTE });
  const { id, txId } = await outbox.submit([operation], { id: `${number}` });
  say('kept', id, txId);
}
await outbox.drained();
await outbox.close();
