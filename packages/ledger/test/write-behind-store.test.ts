import { compareBytes, STORE_WRITE_BEHIND_BYTES, type StoreOperation, type StoreRange, toHex, utf8 } from '@nacre/base';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { WriteBehindStore } from '../src/write-behind-store.ts';
import { MemoryStore } from './support/memory-store.ts';

/** A store whose writes stay under way until they are let go on. */
class HeldStore extends MemoryStore {
  readonly written: { readonly keys: number; readonly sync: boolean }[] = [];
  readonly #held: PromiseWithResolvers<void>[] = [];

  override async write(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void> {
    const held = Promise.withResolvers<void>();
    this.#held.push(held);
    await held.promise;
    this.written.push({ keys: operations.length, sync: options.sync });
    await super.write(operations, options);
  }

  get underWay(): number {
    return this.#held.length;
  }

  /** Lets the oldest write go on, or fail. */
  async release(error?: Error): Promise<void> {
    const held = this.#held.shift();
    if (error === undefined) held?.resolve();
    else held?.reject(error);
    await settled();
  }
}

/** All that is ready to go on has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const key = (number: number): Uint8Array => utf8(`key ${number}`);
const put = (number: number, value = 'value'): StoreOperation => ({ type: 'put', key: key(number), value: utf8(value) });
const LARGE = 'x'.repeat(STORE_WRITE_BEHIND_BYTES);
const ALL: StoreRange = { gte: utf8('key'), lt: utf8('kez'), limit: 100 };

let beneath: HeldStore;
let store: WriteBehindStore;

beforeEach(() => {
  beneath = new HeldStore();
  store = new WriteBehindStore(beneath);
});

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let ended = false;
  const end = () => {
    ended = true;
  };
  promise.then(end, end);
  await settled();
  return ended;
}

describe('what is deferred', () => {
  // @mutation packages/ledger/src/write-behind-store.ts
  // - return this.#gathered.size === 0 && this.#leaving.length === 0;
  // + return this.#gathered.size === 0;
  test('is read at once, and while it is on its way', async () => {
    await store.write([put(1)], { sync: false, deferrable: true });
    expect(store.get(key(1))).toEqual(utf8('value'));
    expect(beneath.underWay).toBe(0);
    const next = store.write([], { sync: false });
    expect(store.get(key(1))).toEqual(utf8('value'));
    expect(await store.scan(ALL)).toHaveLength(1);
    await beneath.release();
    await next;
    expect(beneath.get(key(1))).toEqual(utf8('value'));
  });

  // @mutation packages/ledger/src/write-behind-store.ts
  // - if (!deferrable) return this.#send(sync);
  // + if (!deferrable) return this.#store.write(operations, { sync });
  test('is written with the next write that is not, and is as durable', async () => {
    await store.write([put(1)], { sync: false, deferrable: true });
    await store.write([put(2)], { sync: false, deferrable: true });
    const synced = store.write([put(3)], { sync: true });
    await beneath.release();
    await synced;
    expect(beneath.written).toEqual([{ keys: 3, sync: true }]);
  });

  // @mutation packages/ledger/src/write-behind-store.ts
  // - if (this.#gatheredBytes < STORE_WRITE_BEHIND_BYTES) return;
  // + return;
  test('goes on, synced, as soon as it is much, while more is gathered', async () => {
    await store.write([put(1, LARGE)], { sync: false, deferrable: true });
    await store.write([put(2)], { sync: false, deferrable: true });
    await beneath.release();
    expect(beneath.written).toEqual([{ keys: 1, sync: true }]);
    expect(store.get(key(2))).toEqual(utf8('value'));
  });

  // @mutation packages/ledger/src/write-behind-store.ts
  // - else await this.#left;
  // + else void this.#left;
  test('waits as long as it is much and as much is on its way', async () => {
    await store.write([put(1, LARGE)], { sync: false, deferrable: true });
    const second = store.write([put(2, LARGE)], { sync: false, deferrable: true });
    expect(await isSettled(second)).toBe(false);
    await beneath.release();
    expect(await isSettled(second)).toBe(true);
  });

  // @mutation packages/ledger/src/write-behind-store.ts
  // - if (this.#leavingBytes >= 2 * STORE_WRITE_BEHIND_BYTES) return this.#left;
  // +
  test('waits also where others have handed on much of it, little by little', async () => {
    for (let i = 0; i < 4; i++) {
      await store.write([put(i, LARGE.slice(LARGE.length / 2))], { sync: false, deferrable: true });
      void store.write([], { sync: false });
    }
    const next = store.write([put(4)], { sync: false, deferrable: true });
    expect(await isSettled(next)).toBe(false);
    for (let i = 0; i < 4; i++) await beneath.release();
    expect(await isSettled(next)).toBe(true);
  });

  // @mutation packages/ledger/src/write-behind-store.ts
  // - this.#left = Promise.all([before, written]).then(() => {
  // + this.#left = Promise.allSettled([before, written]).then(() => {
  test('and fails, fails what is written later', async () => {
    await store.write([put(1, LARGE)], { sync: false, deferrable: true });
    const later = Promise.allSettled([store.write([put(2)], { sync: true })]);
    await beneath.release(new Error('the disk is full'));
    await beneath.release();
    expect(await later).toMatchObject([{ reason: { message: 'the disk is full' } }]);
    await expect(store.write([], { sync: false })).rejects.toThrow('the disk is full');
  });

  test('is written before the store is closed', async () => {
    await store.write([put(1)], { sync: false, deferrable: true });
    const closed = store.close();
    await beneath.release();
    await closed;
    expect(beneath.get(key(1))).toEqual(utf8('value'));
  });
});

// @mutation packages/ledger/src/write-behind-store.ts
// - const layers = [...this.#leaving, new Map(this.#gathered)];
// + const layers = this.#layers();
test('a view stays as it is, whatever is deferred or written later', async () => {
  await store.write([put(1, 'then')], { sync: false, deferrable: true });
  const view = store.view();
  await store.write([put(1, 'now'), put(2)], { sync: false, deferrable: true });
  const synced = store.write([put(3)], { sync: true });
  await beneath.release();
  await synced;
  expect(view.get(key(1))).toEqual(utf8('then'));
  expect(view.get(key(3))).toBeUndefined();
  expect(await view.scan(ALL)).toEqual([{ key: key(1), value: utf8('then') }]);
  await view.close();
});

const number = fc.nat(12);
const operation: fc.Arbitrary<StoreOperation> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(number, fc.string({ maxLength: 3 })).map(([at, value]) => put(at, value)) },
  { weight: 2, arbitrary: number.map((at) => ({ type: 'delete', key: key(at) }) as const) },
);
const step = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), operations: fc.array(operation, { maxLength: 4 }) }),
  fc.record({ kind: fc.constant('send' as const), sync: fc.boolean() }),
  fc.record({ kind: fc.constant('release' as const) }),
  fc.record({ kind: fc.constant('scan' as const), from: number, to: number, limit: fc.integer({ min: 1, max: 6 }), reverse: fc.boolean() }),
);

// @mutation packages/ledger/src/write-behind-store.ts
// - const found = await beneath.scan({ ...range, limit: limit + changed.size });
// + const found = await beneath.scan(range);
test('a scan finds as many as are wanted past what is deleted and not gone yet', async () => {
  const written = store.write([put(1), put(2), put(3)], { sync: false });
  await beneath.release();
  await written;
  await store.write([{ type: 'delete', key: key(1) }], { sync: false, deferrable: true });
  expect((await store.scan({ ...ALL, limit: 2 })).map((entry) => entry.key)).toEqual([key(2), key(3)]);
});

test('reads and scans like a plain store at each moment, and a crash leaves what one of them had left', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const held = new HeldStore();
      const behind = new WriteBehindStore(held);
      const oracle = new MemoryStore();
      const pasts = [''];
      const waiting: Promise<void>[] = [];
      for (const one of steps) {
        if (one.kind === 'write') {
          await behind.write(one.operations, { sync: false, deferrable: true });
          await oracle.write(one.operations, { sync: true });
          pasts.push(await content(oracle));
        } else if (one.kind === 'send') waiting.push(behind.write([], { sync: one.sync }));
        else if (one.kind === 'release') await held.release();
        else {
          const { limit, reverse } = one;
          const [gte, lt] = [key(one.from), key(one.to)].sort(compareBytes) as [Uint8Array, Uint8Array];
          expect(await behind.scan({ gte, lt, limit, reverse })).toEqual(await oracle.scan({ gte, lt, limit, reverse }));
        }
        for (let at = 0; at <= 12; at++) expect(behind.get(key(at))).toEqual(oracle.get(key(at)));
        expect(pasts).toContain(await content(held));
      }
      while (held.underWay > 0) await held.release();
      await Promise.all(waiting);
    }),
  );
});

async function content(of: MemoryStore): Promise<string> {
  return (await of.scan(ALL)).map(({ key: at, value }) => `${toHex(at)}=${toHex(value)}`).join(' ');
}
