import { beforeEach, describe, expect, test } from 'vitest';
import { AdmissionPace } from '../src/admission-pace.ts';

const BLOCK_BYTES = 1_000;
const ROOM = 2 * BLOCK_BYTES;
const WAITING_MAX = 4_096;

let mempool: { bytes: number; waitsForRoom: boolean };
let nowMs: number;
let pace: AdmissionPace;
let began: string[];

beforeEach(() => {
  mempool = { bytes: 0, waitsForRoom: true };
  nowMs = 0;
  began = [];
  pace = new AdmissionPace({
    ledger: { parameters: { blockBytesMax: BLOCK_BYTES } },
    mempool,
    clock: { nowMs: () => nowMs },
  });
});

/** Something that is admitted at once and is pending from then on. */
async function hand(name: string, bytes: number): Promise<string> {
  const admit = async (): Promise<string> => {
    began.push(name);
    mempool.bytes += bytes;
    return 'admitted';
  };
  return pace.run(bytes, admit, () => 'busy');
}

/** Lets everything run that waits for nothing but its turn. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('what clients hand in', () => {
  // @mutation packages/replica/src/admission-pace.ts
  // - if (this.#waiting.length === 0 && this.#hasRoom) {
  // + if (this.#hasRoom) {
  // @mutation packages/replica/src/admission-pace.ts
  // - mempool.bytes - this.#leftBytes + this.#enteringBytes;
  // + mempool.bytes - this.#leftBytes;
  test('enters at once until two blocks of it are pending, then in its order as blocks make room', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) void hand(name, 800);
    await settle();
    expect(began).toEqual(['a', 'b', 'c']);
    mempool.bytes -= 800;
    void hand('f', 800);
    await settle();
    expect(began).toEqual(['a', 'b', 'c']);
    pace.decided(nowMs);
    await settle();
    expect(began).toEqual(['a', 'b', 'c', 'd']);
    mempool.bytes = 0;
    pace.decided(nowMs);
    await settle();
    expect(began).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  // @mutation packages/replica/src/admission-pace.ts
  // - if (this.#waiting.length > 0 && nowMs - this.#stuckSinceMs >= WAIT_MS) this.#isStuck = true;
  // +
  // @mutation packages/replica/src/admission-pace.ts
  // - this.#isStuck = false;
  // +
  test('enters after five seconds without a block, and without waiting until the next one: who is cut off takes what clients have', async () => {
    mempool.bytes = ROOM;
    void hand('a', 1);
    nowMs = 4_000;
    void hand('b', 1);
    pace.tick(4_999);
    await settle();
    expect(began).toEqual([]);
    pace.tick(5_000);
    await settle();
    expect(began).toEqual(['a', 'b']);
    expect(await hand('c', 1)).toBe('admitted');
    pace.decided(6_000);
    void hand('d', 1);
    await settle();
    expect(began).toEqual(['a', 'b', 'c']);
  });

  // @mutation packages/replica/src/admission-pace.ts
  // - if (!enters && nowMs - next.sinceMs < WAIT_MS) return;
  // + if (!enters) return;
  // @mutation packages/replica/src/admission-pace.ts
  // - this.#stuckSinceMs = nowMs;
  // +
  test('is refused after five seconds of blocks without room for it', async () => {
    mempool.bytes = ROOM;
    const answer = hand('a', 1);
    for (nowMs = 1_000; nowMs <= 4_000; nowMs += 1_000) pace.decided(nowMs);
    pace.tick(5_000);
    expect(await answer).toBe('busy');
    expect(began).toEqual([]);
  });

  // @mutation packages/replica/src/admission-pace.ts
  // - this.#leftBytes = mempool.waitsForRoom ? Math.min(this.#leftBytes, mempool.bytes) : mempool.bytes;
  // +
  // @mutation packages/replica/src/admission-pace.ts
  // - this.#leftBytes = mempool.waitsForRoom ? Math.min(this.#leftBytes, mempool.bytes) : mempool.bytes;
  // + this.#leftBytes = mempool.bytes;
  // @mutation packages/replica/src/admission-pace.ts
  // - Math.min(this.#leftBytes, mempool.bytes)
  // + this.#leftBytes
  test('does not wait behind what no block takes, such as one account has when its quota is used up', async () => {
    mempool.bytes = ROOM;
    void hand('a', 1);
    pace.decided(nowMs);
    await settle();
    expect(began).toEqual([]);
    mempool.waitsForRoom = false;
    pace.decided(nowMs);
    await settle();
    expect(began).toEqual(['a']);
    mempool.waitsForRoom = true;
    mempool.bytes = ROOM / 2;
    pace.decided(nowMs);
    for (const name of ['b', 'c', 'd']) void hand(name, BLOCK_BYTES);
    await settle();
    expect(began).toEqual(['a', 'b', 'c']);
  });

  // @mutation packages/replica/src/admission-pace.ts
  // - this.#waiting.length === WAITING_MAX.count || this.#waitingBytes + bytes > WAITING_MAX.bytes
  // + this.#waitingBytes + bytes > WAITING_MAX.bytes
  test('is refused when too much waits already', async () => {
    mempool.bytes = ROOM;
    const waiting = Array.from({ length: WAITING_MAX }, (_, i) => hand(String(i), 1));
    expect(await hand('one more', 1)).toBe('busy');
    pace.tick(nowMs + 5_000);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['admitted']));
    expect(began).not.toContain('one more');
  });

  // @mutation packages/replica/src/admission-pace.ts
  // - this.#waitingBytes + bytes > WAITING_MAX.bytes
  // + bytes > WAITING_MAX.bytes
  // @mutation packages/replica/src/admission-pace.ts
  // - this.#waitingBytes -= next.bytes;
  // +
  test('is refused when too many bytes wait already', async () => {
    const half = 16 * 1024 * 1024;
    mempool.bytes = ROOM;
    for (let round = 1; round <= 2; round++) {
      const waiting = [hand('a', half), hand('b', half)];
      expect(await hand('c', half)).toBe('busy');
      nowMs += 5_000;
      pace.tick(nowMs);
      expect(await Promise.all(waiting)).toEqual(['admitted', 'admitted']);
      pace.decided(nowMs);
    }
  });

  // @mutation packages/replica/src/admission-pace.ts
  // - this.#enteringBytes -= bytes;
  // +
  test('makes room for others when it is not admitted', async () => {
    const refuse = (): Promise<string> => Promise.reject(new Error('refused'));
    for (let i = 0; i < 5; i++) await expect(pace.run(ROOM, refuse, () => 'busy')).rejects.toThrow('refused');
    expect(await hand('a', 1)).toBe('admitted');
  });
});
