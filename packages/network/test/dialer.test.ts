import { expect, test } from 'vitest';
import { Dialer } from '../src/dialer.ts';
import { constantRandom, FakeClock } from './support/fake-clock.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Setup {
  readonly wanted?: () => string[];
  readonly outcome?: (key: string) => Promise<boolean>;
  readonly chance?: number;
}

function setUp({ wanted = () => ['peer'], outcome = async () => false, chance = 0 }: Setup = {}) {
  const clock = new FakeClock();
  const startMs = clock.nowMs();
  const dials: { readonly key: string; readonly atMs: number }[] = [];
  const dialer = new Dialer({
    clock,
    random: constantRandom(chance),
    redialFirstMs: 100,
    redialLastMs: 1_000,
    wanted: () => wanted().map((key) => ({ key })),
    dial: ({ key }) => {
      dials.push({ key, atMs: clock.nowMs() - startMs });
      return outcome(key);
    },
  });
  const run = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 25) {
      clock.advance(25);
      await settle();
    }
  };
  return { dialer, dials, run, clock };
}

function gaps(dials: readonly { readonly atMs: number }[]): number[] {
  return dials.slice(1).map(({ atMs }, i) => atMs - (dials[i] as { atMs: number }).atMs);
}

// @mutation packages/network/src/dialer.ts
// -     const waitMs = Math.min(redialLastMs, redialFirstMs * 2 ** attempts.failures);
// +     const waitMs = redialFirstMs * 2 ** attempts.failures;
test('the wait doubles with each failure, up to a bound', async () => {
  const { dialer, dials, run } = setUp();
  dialer.start();
  await run(5_000);
  const waits = gaps(dials);
  expect(waits.slice(0, 5).map((ms) => Math.floor(ms / 100) * 100)).toEqual([100, 200, 400, 800, 1_000]);
  expect(Math.max(...waits)).toBeLessThan(1_100);
  dialer.stop();
});

// @mutation packages/network/src/dialer.ts
// -     attempts.nextMs = nowMs + waitMs * (1 - chance / 2);
// +     attempts.nextMs = nowMs + waitMs;
test('chance takes up to half of the wait away, so that nodes do not come back together', async () => {
  const { dialer, dials, run } = setUp({ chance: 255 });
  dialer.start();
  await run(5_000);
  expect(gaps(dials).at(-1)).toBeLessThan(700);
  dialer.stop();
});

test('who is no longer wanted is not dialled', async () => {
  let wanted = ['peer'];
  const { dialer, dials, run } = setUp({ wanted: () => wanted });
  dialer.start();
  await run(250);
  const before = dials.length;
  wanted = [];
  await run(3_000);
  expect(dials.length).toBe(before);
  dialer.stop();
});

// @mutation packages/network/src/dialer.ts
// -     if (lasted) attempts.failures = 0;
// -     else this.#failed(attempts, nowMs);
// +     attempts.failures = 0;
test('a peer that lets us in and throws us out at once is dialled ever more rarely', async () => {
  const { dialer, dials, run } = setUp({ outcome: async () => true });
  dialer.start();
  await run(5_000);
  expect(dials.length).toBeLessThan(12);
  dialer.stop();
});

test('a connection that lasted is dialled again without delay when it is lost', async () => {
  let wanted = ['peer'];
  const { dialer, dials, run } = setUp({
    wanted: () => wanted,
    outcome: async () => {
      wanted = [];
      return true;
    },
  });
  dialer.start();
  await run(2_000);
  wanted = ['peer'];
  await run(150);
  expect(dials.length).toBe(2);
  dialer.stop();
});

// @mutation packages/network/src/dialer.ts
// -       if (attempts.dialing) continue;
// +       if (attempts.dialing && attempts.failures > 9) continue;
test('nobody is dialled twice at a time', async () => {
  const { dialer, dials, run } = setUp({ outcome: () => new Promise(() => undefined) });
  dialer.start();
  await run(2_000);
  expect(dials.length).toBe(1);
  dialer.stop();
});

// @mutation packages/network/src/dialer.ts
// -       if (this.#dialing >= DIALS_MAX) return;
// +       if (this.#dialing >= 2 * DIALS_MAX) return;
test('eight dials are under way at most', async () => {
  const many = Array.from({ length: 100 }, (_, i) => `peer ${i}`);
  const { dialer, dials, run } = setUp({ wanted: () => many, outcome: () => new Promise(() => undefined) });
  dialer.start();
  await run(2_000);
  expect(dials.length).toBe(8);
  dialer.stop();
});

test('failures can be forgotten, and those of whoever left are', async () => {
  const { dialer, dials, run } = setUp();
  dialer.start();
  await run(3_000);
  const before = dials.length;
  dialer.forgetFailures();
  await settle();
  expect(dials.length).toBe(before + 1);
  await run(3_000);
  dialer.retain(new Set());
  dialer.look();
  await settle();
  expect(dials.at(-1)?.atMs).toBe(6_000);
  dialer.stop();
});

test('nothing is dialled before the start or after the stop', async () => {
  const { dialer, dials, run } = setUp();
  dialer.look();
  await run(500);
  expect(dials).toEqual([]);
  dialer.start();
  dialer.stop();
  await run(500);
  expect(dials.length).toBe(1);
});
