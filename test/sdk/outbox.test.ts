import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { toHex } from '@nacre/base';
import { connect, createAccountKey, type NacreClient } from '@nacre/client';
import { formatGenesis } from '@nacre/ledger';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OutboxChildOptions } from './support/outbox-child-options.ts';
import { SdkNetwork } from './support/sdk-network.ts';

const CHILD = fileURLToPath(new URL('./support/outbox-child.ts', import.meta.url));
/** So many rounds end with a kill, and more until something was found after one and something was signed anew. */
const KILLS_MIN = 12;
const KILLS_MAX = 60;
/** New ones in each of these rounds, or a quick machine is done before the first kill. */
const NOTES_PER_ROUND = 10;
/** Shorter than the node is away, so that some notes have to be signed anew. */
const VALID_FOR_MS = 300;
const AWAY_MS = 600;

const account = createAccountKey();
let network: SdkNetwork;
let client: NacreClient;
let directory: string;
let child: ChildProcess | undefined;
let ticks: ReturnType<typeof setInterval>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nacre-outbox-'));
  network = await SdkNetwork.start();
  await writeFile(join(directory, 'genesis.json'), formatGenesis(network.genesis));
  client = connect((await network.serve()).url, { genesis: network.genesis });
  const { address, publicKey } = account;
  await client.submitOperations(network.validator, [{ kind: 'account.create', publicKey }], { wait: 'committed' });
  const service = {
    name: 'notes',
    owners: [address],
    writers: [address],
    schemas: [{ name: 'note', version: 1 }],
    shard: 0,
    retentionMs: 0,
  };
  await client.submitOperations(account, [{ kind: 'service.create', ...service }], { wait: 'committed' });
  // Time passes on a chain only with its blocks.
  ticks = setInterval(() => void client.submitRecords({ service: 'ticks', payload: 0 }), 100);
});

afterAll(async () => {
  clearInterval(ticks);
  child?.kill('SIGKILL');
  await network?.stop();
  await rm(directory, { recursive: true });
});

/** Random delays that a seed repeats, as far as processes and disks allow. */
function delays(seed: number): (max: number) => number {
  let state = seed;
  return (max) => {
    // Numerical Recipes' linear congruential generator, modulo 2^32.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 32) * max;
  };
}

interface Witness {
  /** What the child was told is kept, with the transaction that it began with. */
  readonly kept: Map<string, string>;
  /** What it was told of, with the last transaction. */
  readonly final: Map<string, string>;
  /** Items that it found when it began, over all its lives. */
  found: number;
}

/** Runs the child until it ends by itself (true) or is killed. */
async function live(options: OutboxChildOptions, killAfterMs: number, witness: Witness): Promise<boolean> {
  const { kept, final } = witness;
  const running = spawn(process.execPath, [CHILD, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] });
  child = running;
  let timer: ReturnType<typeof setTimeout> | undefined;
  createInterface({ input: running.stdout }).on('line', (line) => {
    const [what, id = '', ...rest] = line.split(' ');
    if (what === 'open') witness.found += Number(id);
    if (what === 'open') timer = setTimeout(() => running.kill('SIGKILL'), killAfterMs);
    if (what === 'kept' && !kept.has(id)) kept.set(id, rest[0] as string);
    if (what === 'final') expect([id, rest[0]]).toEqual([id, 'committed']);
    if (what === 'final') final.set(id, rest[1] as string);
  });
  const code = await new Promise<number | null>((resolve) => running.once('close', resolve));
  clearTimeout(timer);
  return code === 0;
}

test('whatever is killed and whoever is away, everything submitted is there once', async () => {
  const seed = Date.now() % 1_000_000;
  console.log(`seed ${seed}`);
  const random = delays(seed);
  let server = await network.serve();
  const { port } = new URL(server.url);
  const comeAndGo = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, random(800)));
    await server.close();
    await new Promise((resolve) => setTimeout(resolve, random(AWAY_MS)));
    server = await network.serve({ port: Number(port) });
  };

  const witness: Witness = { kept: new Map(), final: new Map(), found: 0 };
  const anew = (): number => [...witness.final].filter(([id, txId]) => witness.kept.has(id) && witness.kept.get(id) !== txId).length;
  let notes = 0;
  let isDone = false;
  for (let round = 0; !isDone && round < 2 * KILLS_MAX; round++) {
    const isKilled = round < KILLS_MIN || (round < KILLS_MAX && Math.min(witness.found, anew()) === 0);
    if (isKilled) notes += NOTES_PER_ROUND;
    const numbers = Array.from({ length: notes }, (_, number) => number).filter((number) => !witness.final.has(`${number}`));
    const options: OutboxChildOptions = {
      urls: [server.url],
      genesisFile: join(directory, 'genesis.json'),
      seed: toHex(account.seed),
      directory: join(directory, 'outbox'),
      validForMs: VALID_FOR_MS,
      // Those that wait already are the same items under the same ids.
      numbers,
    };
    const going = isKilled ? comeAndGo() : Promise.resolve();
    isDone = (await live(options, isKilled ? random(500) : 60_000, witness)) && !isKilled;
    await going;
  }
  expect(isDone).toBe(true);
  const found: number[] = [];
  for await (const { payload } of client.records({ service: 'notes' })) found.push((payload as { number: number }).number);
  expect(found.sort((a, b) => a - b)).toEqual(Array.from({ length: notes }, (_, number) => number));
  expect([...witness.final.keys()].sort()).toEqual(found.map(String).sort());
  console.log(`${witness.found} found after kills, ${anew()} of ${notes} signed anew`);
  expect(Math.min(witness.found, anew())).toBeGreaterThan(0);
}, 180_000);
