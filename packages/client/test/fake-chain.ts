import { toHex } from '@nacre/base';
import {
  type AccountKey,
  connect,
  createAccountKey,
  type NacreClient,
  type Operation,
  type OutboxStore,
  type StoredItem,
} from '@nacre/client';
import { createGenesis, decodeTransaction, type Genesis, type Transaction } from '@nacre/ledger';
import { errorBody, type FakeCall, FakeNode, resultBody } from './fake-node.ts';

export const ACCOUNT: AccountKey = createAccountKey();
const genesis: Genesis = createGenesis({
  network: 'fake',
  timeMs: 1_700_000_000_000,
  scheme: 'ml-dsa-44',
  validators: [{ publicKey: ACCOUNT.publicKey, weight: 1000 }],
  allowLargeWeights: true,
});

/** Something to submit, told apart by its number. */
export function note(number: number): Operation[] {
  const records = [{ key: '', payload: new TextEncoder().encode(String(number)) }];
  return [{ kind: 'record.append', service: 'notes', schema: 'note', schemaVersion: 1, mediaType: 'application/json', records }];
}

type OnSubmit = (transaction: Transaction, index: number) => string | null;

/** A node and the chain that it sees, as far as an outbox looks at them. By default it commits what it is sent. */
export class FakeChain {
  readonly genesis = genesis;
  /** Of the latest block. */
  timeMs = Date.now();
  genesisHash = toHex(genesis.hash);
  readonly submitted: Transaction[] = [];
  readonly statuses = new Map<string, object>();
  onSubmit: OnSubmit = (transaction) => this.commit(transaction);
  #node!: FakeNode;

  static async start(): Promise<FakeChain> {
    const chain = new FakeChain();
    chain.#node = await FakeNode.start((call) => chain.#answer(call));
    return chain;
  }

  get url(): string {
    return this.#node.url;
  }

  client(...others: readonly FakeChain[]): NacreClient {
    return connect(
      [this, ...others].map(({ url }) => url),
      { genesis },
    );
  }

  /** Takes a transaction into a block; what `tx_submit` answers then. */
  commit({ txId: id, contents }: Transaction): string {
    const txId = toHex(id);
    this.statuses.set(txId, { txId, chain: 0, status: 'committed', height: 5, index: 0, transaction: null });
    return resultBody({
      txId,
      chain: 0,
      status: 'committed',
      validUntilMs: contents.validUntilMs,
      height: 5,
      index: 0,
      networkState: null,
    });
  }

  /** Refuses what is past its time, as a node's clock has it, and moves the chain past that time if asked to. */
  expire({ contents }: Transaction, { isDecided }: { readonly isDecided: boolean }): string {
    if (isDecided) this.timeMs = contents.validUntilMs + 1;
    return errorBody('EXPIRED', { retryable: false });
  }

  async stop(): Promise<void> {
    await this.#node.stop();
  }

  #answer({ method, params }: FakeCall): string | null {
    if (method === 'node_status') {
      const place = { chain: 0, height: 9, blockHash: '', timeMs: this.timeMs, catchingUp: false, validator: true };
      const networkState = { state: 'NORMAL', reason: null };
      const names = { nodeId: '', address: null, chainId: 'fake', genesisHash: this.genesisHash, version: '', networkState };
      return resultBody({ ...names, chains: [place], peers: 0 });
    }
    const txId = String(params.txId);
    if (method === 'tx_get') return resultBody(this.statuses.get(txId) ?? { txId, chain: 0, status: 'unknown' });
    const decoded = decodeTransaction(new Uint8Array(Buffer.from(String(params.tx), 'base64')), genesis);
    if (!decoded.ok) return errorBody(decoded.error.code, { retryable: false });
    return this.onSubmit(decoded.value, this.submitted.push(decoded.value) - 1);
  }
}

/** A store in memory that tells what happens to it. */
export class MemoryStore implements OutboxStore {
  readonly items = new Map<string, string>();
  readonly events: string[];
  isClosed = false;
  /** How long it takes until an item is kept. */
  putMs = 1;

  constructor(events: string[] = []) {
    this.events = events;
  }

  async read(): Promise<readonly StoredItem[]> {
    return [...this.items].map(([id, content]) => ({ id, content }));
  }

  async put({ id, content }: StoredItem): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.putMs));
    this.items.set(id, content);
    this.events.push(`kept ${(JSON.parse(content) as { kind: string }).kind}`);
  }

  async remove(id: string): Promise<void> {
    this.items.delete(id);
    this.events.push('forgotten');
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}
