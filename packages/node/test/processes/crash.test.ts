import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromUtf8 } from '@nacre/base';
import { createVerifier } from '@nacre/crypto/native';
import { type Genesis, parseGenesis, verifyProof } from '@nacre/ledger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askLine } from '../../src/line-socket.ts';
import { RunningTestnet, SETUP_TIMEOUT_MS, until } from '../support/running-testnet.ts';

/** `npm run test:crash` asks for fifty. */
const CYCLES = Number(process.env.NACRE_CRASH_CYCLES ?? 10);
const CYCLE_TIMEOUT_MS = 180_000;
const NODES = [0, 1, 2, 3] as const;
const SERVICE = 'crash/history';
/** How long clients write before nodes are killed, and until those are started again, in ms. */
const WRITING_MS = 1_500;
const DEAD_MS_MAX = 1_500;
const PAGE = 1_000;

interface Write {
  readonly client: number;
  readonly n: number;
}

interface RecordJson {
  readonly index: number;
  readonly txId: string;
  readonly payload: Write;
}

/** Writes one record after the other at one node and keeps those that the node acknowledged. */
class Client {
  readonly acknowledged: { readonly name: string; readonly txId: string }[] = [];
  readonly #net: RunningTestnet;
  readonly #node: number;
  #n = 0;
  #taken = 0;
  #writing = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(net: RunningTestnet, node: number) {
    this.#net = net;
    this.#node = node;
  }

  start(): void {
    this.#writing = true;
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#writing = false;
    await this.#loop;
  }

  /** What was acknowledged since the last call. */
  takeFresh(): Client['acknowledged'] {
    const fresh = this.acknowledged.slice(this.#taken);
    this.#taken = this.acknowledged.length;
    return fresh;
  }

  async #run(): Promise<void> {
    while (this.#writing) {
      const write: Write = { client: this.#node, n: this.#n++ };
      // Half of them are only durable on this one node when it acknowledges.
      const wait = write.n % 2 === 0 ? 'admitted' : 'committed';
      try {
        const { txId, status } = await this.#net.call(
          this.#node,
          'record_submit',
          { service: SERVICE, payload: write, wait, timeoutMs: 2_000 },
          2_000,
        );
        if (typeof txId === 'string' && typeof status === 'string') this.acknowledged.push({ name: nameOf(write), txId });
      } catch {
        // Not acknowledged: the write may be there or not, but not twice.
        await sleep(100);
      }
      await sleep(10);
    }
  }
}

describe('kill -9', () => {
  let net: RunningTestnet;
  let genesis: Genesis;
  let clients: Client[] = [];
  /** Records whose proofs have been verified. */
  let proven = 0;

  beforeAll(async () => {
    net = await RunningTestnet.prepare();
    await net.up('--no-feed');
    const parsed = parseGenesis(await readFile(net.genesis, 'utf8'));
    if (!parsed.ok) throw new Error(parsed.error.code);
    genesis = parsed.value;
    clients = NODES.map((node) => new Client(net, node));
  }, SETUP_TIMEOUT_MS);
  afterAll(() => net.remove(), SETUP_TIMEOUT_MS);

  const supervisor = (method: string, node: number) => askLine(join(net.directory, 'supervisor.sock'), method, { node }, 30_000);

  test(
    `${CYCLES} cycles: every acknowledged write is there once, on every node, in one order, with a valid proof`,
    async () => {
      for (let cycle = 1; cycle <= CYCLES; cycle++) {
        const victims = NODES.filter(() => randomInt(2) === 1);
        // Every third time all of them, which no quorum survives.
        const killed = cycle % 3 === 0 ? [...NODES] : victims.length === 0 ? [randomInt(4)] : victims;
        for (const client of clients) client.start();
        await sleep(WRITING_MS);
        await Promise.all(killed.map((node) => supervisor('kill', node)));
        await sleep(randomInt(DEAD_MS_MAX));
        await Promise.all(killed.map((node) => supervisor('restart', node)));
        await net.untilReady(...NODES);
        await Promise.all(clients.map((client) => client.stop()));
        await checkHistory(`cycle ${cycle}, killed ${killed.join(' ')}`);
      }
      expect(clients.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0)).toBeGreaterThan(CYCLES);
    },
    CYCLES * CYCLE_TIMEOUT_MS,
  );

  async function checkHistory(when: string): Promise<void> {
    const acknowledged = clients.flatMap((client) => client.acknowledged);
    const fresh = clients.flatMap((client) => client.takeFresh());
    // What only the killed node knew is decided once that node has passed it on again.
    for (const { txId } of fresh) {
      await until(`${when}: what was acknowledged is decided`, async () => (await net.call(0, 'tx_get', { txId })).status === 'committed');
    }
    const [first = [], ...others] = await settledHistories();
    const counts = new Map<string, number>();
    for (const { payload } of first) counts.set(nameOf(payload), (counts.get(nameOf(payload)) ?? 0) + 1);
    const twice = [...counts].filter(([, count]) => count > 1);
    const lost = acknowledged.filter(({ name }) => !counts.has(name));
    expect({ when, twice, lost }).toEqual({ when, twice: [], lost: [] });
    for (const other of others) expect({ when, other }).toEqual({ when, other: first });
    await prove(first.slice(proven));
    proven = first.length;
  }

  /** What each node has recorded, once nothing is pending anywhere. */
  async function settledHistories(): Promise<RecordJson[][]> {
    let histories: RecordJson[][] = [];
    await until('all nodes hold the same number of records', async () => {
      histories = await Promise.all(NODES.map(history));
      const heights = await Promise.all(NODES.map((node) => net.height(node)));
      return histories.every(({ length }) => length === histories[0]?.length) && heights.every((height) => height === heights[0]);
    });
    return histories;
  }

  async function history(node: number): Promise<RecordJson[]> {
    const records: RecordJson[] = [];
    for (let from: number | null = 0; from !== null; ) {
      const page = (await net.call(node, 'record_list', { service: SERVICE, fromIndex: from, limit: PAGE })) as {
        records: RecordJson[];
        nextIndex: number | null;
      };
      records.push(...page.records);
      from = page.nextIndex;
    }
    return records;
  }

  async function prove(records: readonly RecordJson[]): Promise<void> {
    const verifier = createVerifier(genesis.scheme);
    for (const { index, payload } of records) {
      const proof = (await net.call(index % NODES.length, 'record_proof', { service: SERVICE, index })) as unknown as string;
      const verified = await verifyProof(genesis, new Uint8Array(Buffer.from(proof, 'base64')), verifier);
      if (!verified.ok || verified.value.kind !== 'included') throw new Error(`no proof of record ${index}: ${JSON.stringify(verified)}`);
      expect(JSON.parse(fromUtf8(verified.value.record.payload) ?? '')).toEqual(payload);
    }
  }
});

function nameOf({ client, n }: Write): string {
  return `${client}/${n}`;
}
