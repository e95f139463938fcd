import { compareBytes, type StoreEntry } from '@nacre/base';
import { type ScrubStep, scrub } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { blockKey, bodyKey } from '../src/keys.ts';
import { MemoryStore } from './support/memory-store.ts';
import { TestChain } from './support/test-chain.ts';

const FLIPPED = 3;
/** First bytes of keys: blocks to the index of heights, bodies, and the state's values and pages. */
const [BLOCK, HEIGHT, BODY, STATE_VALUE, STATE_PAGE] = [0x02, 0x04, 0x05, 0x07, 0x08];

async function grown(): Promise<{ chain: TestChain; store: MemoryStore; writer: Parameters<TestChain['append']>[0] }> {
  const store = new MemoryStore();
  const { chain, writer } = await TestChain.withService({ store });
  for (let i = 0; i < 3; i++) {
    const records = Array.from({ length: 16 }, (_, at) => (at % 2 === 0 ? `text ${i}` : ([`key ${i} ${at}`, 'text'] as const)));
    await chain.decide([await chain.append(writer, records)]);
  }
  return { chain, store, writer };
}

async function steps(chain: TestChain): Promise<ScrubStep[]> {
  const all: ScrubStep[] = [];
  for await (const step of scrub({ ledger: chain.ledger, store: chain.store })) all.push(step);
  return all;
}

const damages = async (chain: TestChain) => (await steps(chain)).flatMap(({ damage }) => damage ?? []);

async function everything(store: MemoryStore): Promise<StoreEntry[]> {
  return store.scan({ gte: Uint8Array.of(0x01), lt: Uint8Array.of(0xff), limit: Number.MAX_SAFE_INTEGER });
}

describe('a scrub', () => {
  test('finds nothing in a whole store, and reads all of it but what it compares with', async () => {
    const { chain, store } = await grown();
    const all = await steps(chain);
    expect(all.filter(({ damage }) => damage !== null)).toEqual([]);
    const bytes = all.reduce((sum, step) => sum + step.bytes, 0);
    const stored = (await everything(store)).reduce((sum, { value }) => sum + value.length, 0);
    expect(bytes).toBeGreaterThan(0.9 * stored);
    expect(new Set(all.map(({ part }) => part))).toEqual(new Set(['state', 'blocks', 'checksums']));
  });

  test('finds nothing while blocks are applied', async () => {
    const { chain, writer } = await grown();
    let seen = 0;
    for await (const { damage } of scrub({ ledger: chain.ledger, store: chain.store })) {
      expect(damage).toBeNull();
      if (seen++ % 3 === 0 && seen < 60) await chain.decide([await chain.append(writer, [[`key ${seen}`, 'text']])]);
    }
    expect(seen).toBeGreaterThan(20);
  });

  // @mutation packages/ledger/src/scrub.ts
  // - if (bytesEqual(stateValueHash(value), valueHash)) return
  // + if (value.length > 0) return
  // @mutation packages/ledger/src/scrub.ts
  // - if ((await store.scan(range)).length > 0) return STEP_BYTES;
  // + if (range.limit > 0) return STEP_BYTES;
  test.each(['flipped', 'missing'])('finds every part of blocks and state that is %s', async (how) => {
    const { chain, store } = await grown();
    const hashed = (await everything(store)).filter(({ key }) => [BLOCK, HEIGHT, BODY, STATE_VALUE, STATE_PAGE].includes(key[0] as number));
    expect(hashed.length).toBeGreaterThan(30);
    for (const { key, value } of hashed) {
      const flipped = value.slice();
      flipped[FLIPPED] = (flipped[FLIPPED] as number) ^ 0x10;
      await store.write([how === 'missing' ? { type: 'delete', key } : { type: 'put', key, value: flipped }], { sync: true });
      const found = await damages(chain);
      expect(found.length, `${how}: key ${key[0]}`).toBeGreaterThan(0);
      const kind = key[0] === BLOCK ? 'block' : key[0] === BODY ? 'body' : 'store';
      expect(found[0]?.kind).toBe(kind);
      if (found[0] !== undefined && found[0].kind !== 'store') {
        const at = kind === 'block' ? blockKey(found[0].hash) : bodyKey(found[0].hash);
        expect(compareBytes(at, key)).toBe(0);
      }
      await store.write([{ type: 'put', key, value }], { sync: true });
    }
    expect(await damages(chain)).toEqual([]);
  });

  // @mutation packages/ledger/src/scrub.ts
  // - const block: Block | undefined = decoded?.ok && bytesEqual(decoded.value.hash, hash) ? decoded.value : undefined;
  // + const block: Block | undefined = decoded?.ok ? decoded.value : undefined;
  test('finds a whole block that stands in the place of another one', async () => {
    const { chain, store } = await grown();
    const [first, second] = [1, 2].map((height) => chain.ledger.blockAt(height) ?? expect.unreachable('it is decided'));
    await store.write([{ type: 'put', key: blockKey(second?.hash as Uint8Array), value: first?.bytes as Uint8Array }], { sync: true });
    expect(await damages(chain)).toMatchObject([{ kind: 'block', hash: second?.hash }]);
  });
});
