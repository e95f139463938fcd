import { type StoreOperation, utf8 } from '@nacre/base';
import { beforeEach, describe, expect, test } from 'vitest';
import { type WriteGroup, WriteQueue } from '../src/write-queue.ts';

interface Turn extends WriteGroup {
  readonly end: PromiseWithResolvers<void>;
}

let turns: Turn[];
let queue: WriteQueue;

beforeEach(() => {
  turns = [];
  queue = new WriteQueue((group) => {
    const end = Promise.withResolvers<void>();
    turns.push({ ...group, end });
    return end.promise;
  });
});

const put = (key: string): StoreOperation => ({ type: 'put', key: utf8(key), value: utf8('1') });
const keysOf = (turn: Turn | undefined): string[] => turn?.operations.map(({ key }) => new TextDecoder().decode(key)) ?? [];
/** All that is ready to go on has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function endTurn(number: number): Promise<void> {
  turns[number]?.end.resolve();
  await settled();
}

describe('writes', () => {
  // @mutation packages/ledger/src/write-queue.ts
  // - this.#running ??= this.#run();
  // + this.#running = this.#run();
  test('that are called for while one is under way wait for it, and are then one', async () => {
    const first = queue.write({ operations: [put('a')], sync: false });
    await settled();
    void queue.write({ operations: [put('b')], sync: false });
    void queue.write({ operations: [put('a'), put('c')], sync: false });
    await settled();
    expect(turns.map(keysOf)).toEqual([['a']]);
    await endTurn(0);
    await first;
    expect(turns.map(keysOf)).toEqual([['a'], ['b', 'a', 'c']]);
    await endTurn(1);
    await queue.idle();
  });

  // @mutation packages/ledger/src/write-queue.ts
  // - await this.#carryOut({ operations, sync: group.some(({ sync }) => sync) });
  // + await this.#carryOut({ operations, sync: group.every(({ sync }) => sync) });
  test('of which one must be durable are all synced; others are not', async () => {
    void queue.write({ operations: [put('a')], sync: false });
    void queue.write({ operations: [put('b')], sync: true });
    await settled();
    void queue.write({ operations: [put('c')], sync: false });
    await endTurn(0);
    expect(turns.map(({ sync }) => sync)).toEqual([true, false]);
  });

  // @mutation packages/ledger/src/write-queue.ts
  // - const end = this.#waiting.findIndex(({ operations }, i) => i > 0 && typeof operations === 'function');
  // + const end = -1;
  test('that decide in their turn what they write see all that was written before, and what comes later comes behind', async () => {
    const seen: number[] = [];
    void queue.write({ operations: [put('a')], sync: false });
    void queue.write({
      operations: () => {
        seen.push(turns.length);
        return [put('decided')];
      },
      sync: true,
    });
    void queue.write({ operations: [put('b')], sync: false });
    await settled();
    expect(seen).toEqual([]);
    await endTurn(0);
    expect(seen).toEqual([1]);
    expect(turns.map(keysOf)).toEqual([['a'], ['decided', 'b']]);
  });

  test('of a group that fails all fail, and the next group has its turn', async () => {
    const failing = [queue.write({ operations: [put('a')], sync: true }), queue.write({ operations: [put('b')], sync: true })];
    await settled();
    const later = queue.write({ operations: [put('c')], sync: true });
    turns[0]?.end.reject(new Error('the disk is full'));
    expect(await Promise.allSettled(failing)).toMatchObject([{ reason: { message: 'the disk is full' } }, { status: 'rejected' }]);
    await settled();
    await endTurn(1);
    await later;
  });

  test('come in groups of a bounded size', async () => {
    for (let i = 0; i < 300; i++) void queue.write({ operations: [put(String(i))], sync: false });
    await settled();
    await endTurn(0);
    expect(turns.map(({ operations }) => operations.length)).toEqual([256, 44]);
  });
});
