import { assert, toHex } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { LedgerError } from '@nacre/ledger';
import type { NodeBackend } from '../backend.ts';
import { RpcError } from './errors.ts';
import { healthEventJson } from './health-json.ts';
import { recordJson } from './present.ts';
import type { RecentBlocks } from './recent-blocks.ts';

export interface FeedEvent {
  readonly data: unknown;
  /** Where to resume behind this event. */
  readonly cursor: string;
}

/**
 * The events of one topic from a place on. Those of what is decided are read from it: heights and indexes are the same on every node, so a
 * cursor of one node is good at any other. Those of health are what one process saw: at another one its cursor means everything that is kept there.
 */
export interface Feed {
  /** Of the next event. */
  readonly cursor: string;
  /** How many events (for transactions: blocks) there are from here to the newest; not above zero if none. */
  lag(): number;
  /**
   * The next ones, at most `limit`, and none if the next `limit` blocks hold none; moves behind what it looked at. `pruned`: they are not on this
   * node any more, and it has moved to the first that is.
   */
  next(limit: number): Promise<FeedEvent[] | 'pruned'>;
  /** Moves behind the newest. */
  skip(): void;
}

export type Topic = 'blocks' | 'transactions' | 'records' | 'health';

interface FeedRequest {
  readonly topic: Topic;
  /** For records. */
  readonly service: string | undefined;
  /** Undefined begins with what comes next. */
  readonly cursor: string | undefined;
}

interface FeedDependencies {
  readonly backend: NodeBackend;
  readonly blocks: RecentBlocks;
}

/** @throws {RpcError} `CURSOR_INVALID` */
export function openFeed({ topic, service, cursor }: FeedRequest, dependencies: FeedDependencies): Feed {
  switch (topic) {
    case 'blocks':
      return new BlockFeed(cursor, dependencies);
    case 'transactions':
      return new TransactionFeed(cursor, dependencies);
    case 'records':
      assert(service !== undefined, 'the schema asks for a service');
      return new RecordFeed(service, cursor, dependencies);
    case 'health':
      return new HealthFeed(cursor, dependencies.backend.healthLog);
  }
}

function readCursor(cursor: string, pattern: RegExp): number[] {
  const numbers = pattern.exec(cursor)?.slice(1).map(Number);
  if (numbers?.every(Number.isSafeInteger)) return numbers;
  throw new RpcError('CURSOR_INVALID', { cursor: cursor.slice(0, CURSOR_LENGTH_MAX) });
}

/** Characters of a cursor at most: two numbers below 2^53. */
export const CURSOR_LENGTH_MAX = 40;

class BlockFeed implements Feed {
  readonly #dependencies: FeedDependencies;
  #height: number;

  constructor(cursor: string | undefined, dependencies: FeedDependencies) {
    this.#dependencies = dependencies;
    this.#height = cursor === undefined ? this.#nextHeight() : (readCursor(cursor, /^(\d+)$/)[0] ?? 0);
    // There is no block 0.
    if (this.#height === 0) this.#height = 1;
  }

  get cursor(): string {
    return String(this.#height);
  }

  lag(): number {
    return this.#nextHeight() - this.#height;
  }

  async next(limit: number): Promise<FeedEvent[] | 'pruned'> {
    const { backend, blocks } = this.#dependencies;
    const { firstHeight } = backend.ledger;
    if (this.#height < firstHeight) {
      this.#height = firstHeight;
      return 'pruned';
    }
    const events: FeedEvent[] = [];
    while (events.length < limit) {
      const block = blocks.at(this.#height);
      if (block === undefined) break;
      this.#height++;
      const { height, hash, timeMs, proposer, transactionCount } = block;
      const { chain } = backend.genesis.context;
      const data = { chain, height, hash: toHex(hash), timeMs, proposer: formatAddress(proposer), transactionCount };
      events.push({ data, cursor: this.cursor });
    }
    return events;
  }

  skip(): void {
    this.#height = this.#nextHeight();
  }

  #nextHeight(): number {
    return this.#dependencies.backend.ledger.tip.height + 1;
  }
}

class TransactionFeed implements Feed {
  readonly #dependencies: FeedDependencies;
  #height: number;
  #index: number;

  constructor(cursor: string | undefined, dependencies: FeedDependencies) {
    this.#dependencies = dependencies;
    const [height = 1, index = 0] = cursor === undefined ? [this.#nextHeight()] : readCursor(cursor, /^(\d+)\.(\d+)$/);
    this.#height = Math.max(height, 1);
    this.#index = index;
  }

  get cursor(): string {
    return `${this.#height}.${this.#index}`;
  }

  lag(): number {
    return this.#nextHeight() - this.#height;
  }

  async next(limit: number): Promise<FeedEvent[] | 'pruned'> {
    const { backend, blocks } = this.#dependencies;
    const { chain } = backend.genesis.context;
    const { firstHeight } = backend.ledger;
    if (this.#height < firstHeight) {
      this.#height = firstHeight;
      this.#index = 0;
      return 'pruned';
    }
    const events: FeedEvent[] = [];
    for (let examined = 0; examined < limit && events.length < limit; examined++) {
      const block = blocks.at(this.#height);
      if (block === undefined) break;
      while (this.#index < block.transactionCount && events.length < limit) {
        const txId = block.txIdAt(this.#index++);
        const status = txId && backend.transactionStatus(txId);
        assert(txId && (status?.status === 'committed' || status?.status === 'failed'), 'what a decided block holds is final');
        events.push({ data: { chain, txId: toHex(txId), ...status }, cursor: this.cursor });
      }
      if (this.#index < block.transactionCount) break;
      this.#height++;
      this.#index = 0;
    }
    return events;
  }

  skip(): void {
    this.#height = this.#nextHeight();
    this.#index = 0;
  }

  #nextHeight(): number {
    return this.#dependencies.backend.ledger.tip.height + 1;
  }
}

class RecordFeed implements Feed {
  readonly #service: string;
  readonly #dependencies: FeedDependencies;
  #index: number;

  constructor(service: string, cursor: string | undefined, dependencies: FeedDependencies) {
    this.#service = service;
    this.#dependencies = dependencies;
    this.#index = cursor === undefined ? this.#recordCount() : (readCursor(cursor, /^(\d+)$/)[0] ?? 0);
  }

  get cursor(): string {
    return String(this.#index);
  }

  lag(): number {
    return this.#recordCount() - this.#index;
  }

  async next(limit: number): Promise<FeedEvent[] | 'pruned'> {
    const { ledger, genesis } = this.#dependencies.backend;
    const page = await ledger.records({ service: this.#service, fromIndex: this.#index, limit }).catch(unlessPruned);
    if ('nextHeld' in page) {
      this.#index = page.nextHeld;
      return 'pruned';
    }
    return page.records.map((record) => {
      this.#index = record.index + 1;
      return { data: recordJson(record, genesis.context.chain), cursor: this.cursor };
    });
  }

  skip(): void {
    this.#index = this.#recordCount();
  }

  #recordCount(): number {
    return this.#dependencies.backend.ledger.recordLog(this.#service)?.recordCount ?? 0;
  }
}

class HealthFeed implements Feed {
  readonly #log: NodeBackend['healthLog'];
  #sequence: number;

  constructor(cursor: string | undefined, log: NodeBackend['healthLog']) {
    this.#log = log;
    const [process, sequence = 0] = cursor === undefined ? [log.sinceMs, log.next] : readCursor(cursor, /^(\d+)\.(\d+)$/);
    this.#sequence = process === log.sinceMs ? Math.min(sequence, log.next) : log.oldest;
  }

  get cursor(): string {
    return `${this.#log.sinceMs}.${this.#sequence}`;
  }

  lag(): number {
    return this.#log.next - this.#sequence;
  }

  async next(limit: number): Promise<FeedEvent[] | 'pruned'> {
    if (this.#sequence < this.#log.oldest) {
      this.#sequence = this.#log.oldest;
      return 'pruned';
    }
    const events: FeedEvent[] = [];
    while (events.length < limit) {
      const event = this.#log.at(this.#sequence);
      if (event === undefined) break;
      this.#sequence++;
      events.push({ data: healthEventJson(event), cursor: this.cursor });
    }
    return events;
  }

  skip(): void {
    this.#sequence = this.#log.next;
  }
}

/** The index of the first record that is here, if that is what the error says. */
function unlessPruned(error: unknown): { readonly nextHeld: number } {
  if (error instanceof LedgerError && error.code === 'RECORD_PRUNED') return { nextHeld: Number(error.fields.nextIndex) };
  throw error;
}
