import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createAccountKey, Outbox, type OutboxOutcome } from '@nacre/client';
import { FileOutboxStore } from '@nacre/client/outbox-file';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SdkNetwork } from './support/sdk-network.ts';

let network: SdkNetwork;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nacre-outbox-'));
  network = await SdkNetwork.start();
});

afterAll(async () => {
  await network?.stop();
  await rm(directory, { recursive: true });
});

test('an item is kept, decided, told and forgotten', async () => {
  const client = connect((await network.serve()).url, { genesis: network.genesis });
  const told: OutboxOutcome[] = [];
  const store = await FileOutboxStore.open(join(directory, 'simple'));
  const outbox = await Outbox.open({ account: network.validator, onFinal: (outcome) => told.push(outcome) }, { client, store });
  const items = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      outbox.submit([{ kind: 'account.create', publicKey: createAccountKey().publicKey }], { id: `item ${i}` }),
    ),
  );
  const started = performance.now();
  expect(await items[0]?.outcome).toMatchObject({ id: 'item 0', status: 'committed' });
  await outbox.drained();
  console.log(performance.now() - started, told.length);
  expect(outbox.items()).toEqual([]);
  await outbox.close();
});
