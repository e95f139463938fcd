import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesEqual } from '@nacre/base';
import { formatGenesis, type Operation } from '@nacre/ledger';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../src/cli/exit-status.ts';
import { runCli } from '../src/cli/program.ts';
import { capturedIo } from './support/captured-io.ts';
import { newKey, RpcNode, result } from './support/rpc-node.ts';

const CHANGES = 10;
const EPOCH_BLOCKS = 4;
/** Told by its bytes wherever a committee stands in a proof. */
const FIRST_WEIGHT = 1001;

let node: RpcNode;
let directory: string;
/** Of the two records. */
const epochs: number[] = [];
let genesis: string;
/** Made in epoch 0, before any change. */
let early: string;
/** The same, taken on through all of them. */
let late: string;

beforeAll(async () => {
  node = await RpcNode.start({ parameters: { epochMs: 1, epochBlocksMin: EPOCH_BLOCKS } });
  directory = await mkdtemp(join(tmpdir(), 'nacre-changes-'));
  [genesis, early, late] = ['genesis', 'early', 'late'].map((name) => join(directory, `${name}.json`)) as [string, string, string];
  await writeFile(genesis, formatGenesis(node.genesis));
  epochs.push(await record('early'));
  await nacre(['checkpoint', '--genesis', genesis, '--checkpoint', early]);
  for (let change = 0; change < CHANGES; change++) {
    await decide({ kind: 'validator.weight', address: node.validator.address, weight: FIRST_WEIGHT + change });
    // One change in flight per validator.
    await nextEpoch();
    await nextEpoch();
  }
  epochs.push(await record('late'));
  await writeFile(late, await readFile(early));
  await nacre(['checkpoint', '--genesis', genesis, '--checkpoint', late]);
}, 60_000);

afterAll(async () => {
  await node?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function nacre(args: readonly string[], { stdin = '', rpc = node.url } = {}) {
  const io = capturedIo({ stdin, environment: { NACRE_RPC: rpc } });
  const status = await runCli([...args, '--rpc', rpc], io);
  return { status, out: io.out(), err: io.err() };
}

const decide = async (operation: Operation) => node.decide(await node.transaction(node.validator, [operation]));
const epochNow = (): number => node.replica.ledger.epochOf(node.replica.ledger.tip.height + 1)?.epoch ?? -1;

async function nextEpoch(): Promise<void> {
  // An operation that changes nothing of interest, for a block.
  const epoch = epochNow();
  while (epochNow() === epoch) {
    await decide({ kind: 'validator.recover', nonce: new Uint8Array(16) });
  }
}

/** @returns the epoch of its block */
async function record(name: string): Promise<number> {
  const params = { service: 'kept', key: name, payload: { name }, wait: 'committed', timeoutMs: 10_000 };
  expect((await result(node.url, 'record_submit', params)).status).toBe('committed');
  const { record: found } = await result(node.url, 'record_latest', { service: 'kept', key: name });
  return (await result(node.url, 'block_get', { chain: 0, height: found?.height ?? -1 })).header.epoch;
}

/** The bytes with another committee in the place of the one that a change leads to: of somebody else, or with another weight. */
function forged(bytes: Uint8Array, change: number, forge: 'validator' | 'weight'): Buffer {
  const weight = Buffer.alloc(8);
  weight.writeBigUInt64LE(BigInt(FIRST_WEIGHT + change));
  const copy = Buffer.from(bytes);
  const { address } = node.validator;
  const at = copy.indexOf(Buffer.concat([address, weight]));
  expect(at).toBeGreaterThan(0);
  if (forge === 'validator') copy.set(newKey().address, at);
  else copy.set(Uint8Array.of(0xff), at + address.length);
  return copy;
}

const proofOf = async (name: string, ...more: string[]): Promise<string> =>
  (await nacre(['record', 'proof', '--service', 'kept', '--key', name, ...more])).out;
const verify = async (stdin: string, ...more: string[]) => (await nacre(['verify', '--genesis', genesis, ...more], { stdin })).status;

test('between the two records lie ten set changes', async () => {
  expect(epochs[0]).toBe(0);
  expect(epochs[1]).toBeGreaterThanOrEqual(2 * CHANGES);
  const { ledger } = node.replica;
  const headers = Array.from({ length: ledger.tip.height }, (_, index) => ledger.headerAt(index + 1));
  const changes = headers.filter((header) => header !== undefined && !bytesEqual(header.committeeHash, header.nextCommitteeHash));
  expect(changes).toHaveLength(CHANGES);
});

test.each(['early', 'late'])('a record of before or after ten set changes verifies from the genesis: the %s one', async (name) => {
  expect(await verify(await proofOf(name))).toBe(EXIT.done);
});

test.each(['early', 'late'])('and from a checkpoint of before or after them: the %s one', async (name) => {
  for (const checkpoint of [early, late]) {
    expect(await verify(await proofOf(name, '--checkpoint', checkpoint), '--checkpoint', checkpoint)).toBe(EXIT.done);
  }
});

test.each(['validator', 'weight'] as const)('a forged set change fails, whichever of the ten it is: another %s', async (forge) => {
  for (const trusted of [[], ['--checkpoint', early]]) {
    const proof = Buffer.from(await proofOf('late', ...trusted), 'base64');
    for (let change = 0; change < CHANGES; change++) {
      expect(await verify(forged(proof, change, forge).toString('base64'), ...trusted)).toBe(EXIT.invalid);
    }
  }
});

test('a node that forges a set change takes no checkpoint on: the file stays as it was', async () => {
  const server = await lyingNode();
  const rpc = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const before = await readFile(early, 'utf8');
    const { status, err } = await nacre(['checkpoint', '--genesis', genesis, '--checkpoint', early], { rpc });
    expect([status, err]).toEqual([EXIT.invalid, expect.stringContaining('PROOF_INVALID')]);
    expect(await readFile(early, 'utf8')).toBe(before);
  } finally {
    server.close();
  }
});

/** Passes everything on to the node, and puts another weight into its light updates. */
async function lyingNode(): Promise<Server> {
  const headers = { 'content-type': 'application/json' };
  const answer = async (request: IncomingMessage): Promise<string> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const honest = await (await fetch(node.url, { method: 'POST', headers, body: Buffer.concat(chunks) })).text();
    const update = /"update":"([^"]+)"/.exec(honest)?.[1];
    if (update === undefined) return honest;
    return honest.replace(update, forged(Buffer.from(update, 'base64'), CHANGES - 1, 'weight').toString('base64'));
  };
  const server = createServer((request, response) => {
    void answer(request).then((text) => response.writeHead(200, headers).end(text));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
