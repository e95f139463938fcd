import { randomBytes } from 'node:crypto';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { type Address, assert, compareBytes, type Signer } from '@nacre/base';
import { addressOf, SEED_BYTES } from '@nacre/crypto';
import { createSigner } from '@nacre/crypto/native';
import { buildTransaction, type Genesis, NONCE_BYTES, type Operation } from '@nacre/ledger';
import { callRpc } from '../cli/rpc-client.ts';
import type { HomeKey } from '../home.ts';

/** Bytes of a record's payload, as the figures name it. */
const PAYLOAD_BYTES = 250;
const SCHEMA = { name: 'bench', version: 1 };
const MEDIA_TYPE = 'application/octet-stream';
/** Signed transactions stay valid this long, in ms: longer than any run. */
const VALID_MS = 50 * 60_000;
const COMMIT_MS = 30_000;
const POLL_MS = 20;
/** Signatures before others get their turn: 20 ms. */
const SIGNED_PER_TURN = 32;

interface Account {
  readonly address: Address;
  readonly signer: Signer;
}

/** Makes what a run needs on the network, and signs its transactions beforehand. */
export class SignedLoad {
  readonly service: string;
  readonly #genesis: Genesis;
  /** One per validator, on its quota. */
  readonly #accounts: readonly Account[];

  private constructor(genesis: Genesis, service: string, accounts: readonly Account[]) {
    this.#genesis = genesis;
    this.service = service;
    this.#accounts = accounts;
  }

  /** Has each validator sponsor an account, and one of them found a service that all may write to. */
  static async prepare(genesis: Genesis, nodes: readonly { readonly url: string; readonly validator: HomeKey }[]): Promise<SignedLoad> {
    const accounts = nodes.map((): Account => {
      const signer = createSigner(genesis.scheme, randomBytes(SEED_BYTES));
      return { signer, address: addressOf(genesis.scheme, signer.publicKey) };
    });
    const service = `bench/${randomBytes(6).toString('hex')}`;
    const load = new SignedLoad(genesis, service, accounts);
    for (const [index, { url, validator }] of nodes.entries()) {
      const { publicKey } = (accounts[index] as Account).signer;
      await commit(url, await load.#sign(validator, [{ kind: 'account.create', publicKey }]));
    }
    const writers = accounts.map(({ address }) => address).sort(compareBytes);
    const [owner] = accounts;
    assert(owner !== undefined, 'a network has a node');
    const definition = { name: service, owners: [owner.address], writers, schemas: [SCHEMA], shard: 0, retentionMs: 0 };
    const height = await commit(nodes[0]?.url ?? '', await load.#sign(owner, [{ kind: 'service.create', ...definition }]));
    // A node that has not come to this block yet would refuse what is written to the service.
    for (const { url } of nodes) await untilAt(url, height);
    return load;
  }

  /** Signs transactions for one node to take. @param records of each of them. @returns base64 */
  async sign(node: number, count: number, records: number): Promise<string[]> {
    const account = this.#accounts[node] as Account;
    const signed: string[] = [];
    for (let i = 0; i < count; i++) {
      // Connections that a node closes meanwhile are to be noticed, or the next call fails on one.
      if (i % SIGNED_PER_TURN === 0) await setImmediate();
      const payloads = Array.from({ length: records }, () => ({ key: '', payload: new Uint8Array(randomBytes(PAYLOAD_BYTES)) }));
      const append = { kind: 'record.append', service: this.service, schema: SCHEMA.name, schemaVersion: SCHEMA.version } as const;
      signed.push(await this.#sign(account, [{ ...append, mediaType: MEDIA_TYPE, records: payloads }]));
    }
    return signed;
  }

  async #sign({ address, signer }: Account, operations: readonly Operation[]): Promise<string> {
    const request = { genesis: this.#genesis, account: address, operations, signer };
    const transaction = await buildTransaction({ ...request, validUntilMs: Date.now() + VALID_MS, nonce: randomBytes(NONCE_BYTES) });
    return Buffer.from(transaction.bytes).toString('base64');
  }
}

/** @returns the height of the block that holds it */
async function commit(url: string, tx: string): Promise<number> {
  const { status, height } = await callRpc(url, 'tx_submit', { tx, wait: 'committed', timeoutMs: COMMIT_MS }, { waitMs: COMMIT_MS });
  assert(status === 'committed', `the network does not decide: ${String(status)}`);
  return height as number;
}

async function untilAt(url: string, height: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < COMMIT_MS; waitedMs += POLL_MS) {
    const { chains } = (await callRpc(url, 'node_status', {})) as { chains: { height: number }[] };
    if (chains.some((chain) => chain.height >= height)) return;
    await sleep(POLL_MS);
  }
  throw new Error(`${url} does not come to block ${height}`);
}
