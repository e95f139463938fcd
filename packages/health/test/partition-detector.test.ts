import { describe, expect, test } from 'vitest';
import { LOCAL_DETECTION, PartitionDetector, type PartitionEvent } from '../src/index.ts';

const MEMBERS = ['a', 'b', 'c', 'd'].map((id) => ({ id, weight: 1000 }));
const SPEAK_MS = 200;
const START_MS = 1_000_000;

/** The detector of `a` among peers that speak every 200 ms. */
class Watch {
  nowMs = START_MS;
  members = MEMBERS;
  readonly events: PartitionEvent[] = [];
  readonly detector = new PartitionDetector({ self: 'a', ...LOCAL_DETECTION });

  /** @param words who speaks, and whom it hears */
  run(ms: number, words: Readonly<Record<string, string>>): this {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      if (this.nowMs % SPEAK_MS === 0) for (const [id, heard] of Object.entries(words)) this.detector.claim(id, heard);
      this.nowMs += 100;
      this.look();
    }
    return this;
  }

  look(): void {
    const event = this.detector.look(this.members, this.nowMs);
    if (event !== null) this.events.push(event);
  }

  /** Kind and sides of each event. */
  told(): string[] {
    return this.events.map(({ kind, sides }) => `${kind} ${sides.map(({ members }) => members.join('')).join('|')}`);
  }
}

const WHOLE = { b: 'acd', c: 'abd', d: 'abc' };
const ALONE = {};
const THREE = { b: 'ac', c: 'ab' };
const HALF = { b: 'a' };

describe('a partition', () => {
  test('is named within a second of the first word that is missed', () => {
    for (const words of [THREE, HALF, ALONE]) {
      const watch = new Watch().run(10_000, WHOLE);
      const cutMs = watch.nowMs;
      // The others notice when we do; until then they go on saying that they hear who is away.
      watch.run(LOCAL_DETECTION.silenceMs, Object.fromEntries(Object.keys(words).map((id) => [id, WHOLE[id as 'b' | 'c']])));
      watch.run(2_000, words);
      expect(watch.events).toHaveLength(1);
      expect(watch.events[0]?.kind).toBe('partitioned');
      // The last word may have come just before the cut: the first one that is missed is due then.
      expect((watch.events[0]?.atMs ?? 0) - cutMs).toBeLessThanOrEqual(1_000);
    }
  });

  test('is told when it begins, when its sides change, and when they merge; and is remembered', () => {
    const watch = new Watch().run(5_000, WHOLE).run(3_000, THREE).run(3_000, HALF).run(3_000, WHOLE);
    expect(watch.told()).toEqual(['partitioned abc|d', 'changed ab|cd', 'merged abcd']);
    const [began, changed, merged] = watch.events;
    expect(watch.detector.history).toEqual([{ sinceMs: began?.atMs, untilMs: merged?.atMs, sides: changed?.sides }]);
  });

  test('that lasts has no end yet', () => {
    const watch = new Watch().run(5_000, WHOLE).run(3_000, THREE);
    expect(watch.detector.history).toMatchObject([{ untilMs: null }]);
    expect(watch.detector.sides).toHaveLength(2);
  });

  test('is forgotten when 64 others came after it', () => {
    const watch = new Watch().run(5_000, WHOLE);
    const firstMs = watch.nowMs;
    for (let i = 0; i < 70; i++) watch.run(1_000, THREE).run(1_000, WHOLE);
    expect(watch.detector.history).toHaveLength(64);
    expect(watch.detector.history[0]?.sinceMs).toBeGreaterThan(firstMs + 6 * 2_000 - 1);
  });
});

describe('nobody is accused', () => {
  // @mutation packages/health/src/partition-detector.ts
  // - this.#observedMs += Math.min(Math.max(passedMs, 0), silenceMs / 2);
  // + this.#observedMs += passedMs;
  // @mutation packages/health/src/partition-detector.ts
  // - if (passedMs > silenceMs || passedMs < 0) this.#settledAtMs = this.#observedMs + settleMs;
  // +
  test('by a pause of the observing process, nor while its connections come back', () => {
    for (const pauseMs of [700, 5_000, 3_600_000]) {
      const watch = new Watch().run(5_000, WHOLE);
      watch.nowMs += pauseMs;
      watch.look();
      if (pauseMs > 1_000) watch.run(2_000, ALONE);
      watch.run(5_000, WHOLE);
      expect(watch.told()).toEqual([]);
    }
  });

  test('by a clock that jumps, either way', () => {
    const watch = new Watch().run(5_000, WHOLE);
    for (const jumpMs of [3_600_000, -7_200_000]) {
      watch.nowMs += jumpMs;
      watch.run(5_000, WHOLE);
    }
    expect(watch.told()).toEqual([]);
    watch.run(5_000, THREE);
    expect(watch.told()).toEqual(['partitioned abc|d']);
  });

  // @mutation packages/health/src/partition-detector.ts
  // - this.#settledAtMs = options.settleMs;
  // + this.#settledAtMs = 0;
  test('while the first connections are made', () => {
    const watch = new Watch().run(2_000, ALONE).run(500, THREE).run(5_000, WHOLE);
    expect(watch.told()).toEqual([]);
  });

  // @mutation packages/health/src/partition-detector.ts
  // - this.#settledAtMs = Math.max(this.#settledAtMs, this.#observedMs + this.#options.silenceMs);
  // +
  test('for not having been heard before it was a member', () => {
    const watch = new Watch().run(5_000, WHOLE);
    watch.members = [...MEMBERS, { id: 'e', weight: 1000 }];
    watch.run(300, WHOLE).run(5_000, { b: 'acde', c: 'abde', d: 'abce', e: 'abcd' });
    expect(watch.told()).toEqual([]);
  });
});

test('a partition is not over because its observer was paused', () => {
  const watch = new Watch().run(5_000, WHOLE).run(3_000, HALF);
  watch.nowMs += 60_000;
  watch.run(10_000, HALF);
  expect(watch.told()).toEqual(['partitioned ab|cd']);
});

// @mutation packages/health/src/partition-detector.ts
// - for (const id of this.#claims.keys()) if (this.#isSilent(id)) this.#claims.delete(id);
// +
test('what a validator said before it fell silent does not count when it is back', () => {
  const watch = new Watch()
    .run(5_000, WHOLE)
    .run(1_000, { ...THREE, d: '' })
    .run(3_000, THREE);
  watch.detector.hear('d');
  watch.run(100, {});
  expect(watch.detector.sides).toHaveLength(1);
});

test('who has left the committee is on no side, and whom nobody knows is not listened to', () => {
  const watch = new Watch().run(5_000, WHOLE);
  watch.members = MEMBERS.slice(0, 3);
  watch.detector.claim('x', 'abc');
  watch.run(5_000, WHOLE);
  expect(watch.detector.sides.map(({ members }) => members)).toEqual([['a', 'b', 'c']]);
  expect(watch.detector.heard()).toEqual(['b', 'c']);
});

test('a validator tells whom it hears itself, never whom it only gives time to come', () => {
  const watch = new Watch();
  watch.look();
  expect(watch.detector.heard()).toEqual([]);
  watch.run(500, HALF);
  expect(watch.detector.heard()).toEqual(['b']);
});
