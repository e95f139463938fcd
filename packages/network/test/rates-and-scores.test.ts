import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Scoreboard } from '../src/scoreboard.ts';
import { TokenBucket } from '../src/token-bucket.ts';
import { FakeClock } from './support/fake-clock.ts';

test('a burst of one second is free, and what is beyond it is waited for', () => {
  const bucket = new TokenBucket(100, 0);
  expect([bucket.take(100, 0), bucket.take(50, 0), bucket.take(1, 510)]).toEqual([0, 500, 0]);
});

// @mutation packages/network/src/token-bucket.ts
// -     this.#tokens = Math.min(this.#perSecond, this.#tokens + (elapsedMs / 1000) * this.#perSecond);
// +     this.#tokens = this.#tokens + (elapsedMs / 1000) * this.#perSecond;
test('however it is used, no more passes than the rate and one burst', () => {
  const use = fc.record({ amount: fc.integer({ min: 1, max: 50 }), afterMs: fc.integer({ min: 0, max: 5_000 }) });
  fc.assert(
    fc.property(fc.array(use, { minLength: 1, maxLength: 60 }), (uses) => {
      const bucket = new TokenBucket(50, 0);
      const taken: { readonly atMs: number; readonly amount: number }[] = [];
      let nowMs = 0;
      for (const { amount, afterMs } of uses) {
        nowMs += afterMs;
        if (bucket.tryTake(amount, nowMs)) taken.push({ atMs: nowMs, amount });
      }
      for (const [i, { atMs: fromMs }] of taken.entries()) {
        const window = taken.slice(i).filter(({ atMs }) => atMs - fromMs <= 1_000);
        expect(window.reduce((sum, { amount }) => sum + amount, 0)).toBeLessThanOrEqual(100);
      }
    }),
  );
});

test('a clock that runs backwards gives nothing away and takes nothing', () => {
  const bucket = new TokenBucket(10, 1_000);
  expect([bucket.tryTake(10, 0), bucket.tryTake(1, 0), bucket.tryTake(1, 100)]).toEqual([true, false, true]);
});

// @mutation packages/network/src/scoreboard.ts
// -     if (entry.points < DISCONNECT_AT) return false;
// +     if (entry.points < 2 * DISCONNECT_AT) return false;
test.each(['VOTE_SIGNATURE', 'PROPOSAL_SIGNATURE', 'SIGNATURE_INVALID', 'CERTIFICATE_INVALID'])(
  'one %s bans at once: honest peers check',
  (code) => {
    const clock = new FakeClock();
    const board = new Scoreboard(clock, 1_000);
    expect(board.penalize('peer', { code })).toBe(true);
    expect(board.banned('peer')).toBe(true);
    clock.advance(1_000);
    expect(board.banned('peer')).toBe(false);
  },
);

test('breaches add up to a ban', () => {
  const board = new Scoreboard(new FakeClock(), 1_000);
  const verdicts = [1, 2, 3, 4].map(() => board.penalize('peer', { code: 'MALFORMED' }));
  expect(verdicts).toEqual([false, false, false, true]);
});

// @mutation packages/network/src/scoreboard.ts
// -   return entry.points * 0.5 ** (Math.max(0, nowMs - entry.countedAtMs) / HALF_LIFE_MS);
// +   return entry.points;
test('points are forgiven with time: a breach a minute never bans', () => {
  const clock = new FakeClock();
  const board = new Scoreboard(clock, 1_000);
  for (let i = 0; i < 100; i++) {
    expect(board.penalize('peer', { code: 'MALFORMED' })).toBe(false);
    clock.advance(60_000);
  }
  expect(board.score('peer')).toBeGreaterThan(-53);
});

// @mutation packages/network/src/scoreboard.ts
// - const BREACH = 26;
// + const BREACH = 25;
test('the fourth breach within seconds bans, though some is forgiven between', () => {
  const clock = new FakeClock();
  const board = new Scoreboard(clock, 1_000);
  const banned = Array.from({ length: 4 }, () => {
    clock.advance(500);
    return board.penalize('peer', { code: 'MALFORMED' });
  });
  expect(banned).toEqual([false, false, false, true]);
});

// @mutation packages/network/src/scoreboard.ts
// -     entry.bannedUntilMs = nowMs + this.#banMs * 2 ** Math.min(entry.bans, BAN_DOUBLINGS_MAX);
// +     entry.bannedUntilMs = nowMs + this.#banMs;
test('each further ban lasts twice as long, up to a bound', () => {
  const clock = new FakeClock();
  const board = new Scoreboard(clock, 10);
  const lengths = Array.from({ length: 9 }, () => {
    board.penalize('peer', { code: 'VOTE_SIGNATURE' });
    let ms = 0;
    for (; board.banned('peer'); ms += 10) clock.advance(10);
    return ms;
  });
  expect(lengths).toEqual([10, 20, 40, 80, 160, 320, 640, 640, 640]);
});

// @mutation packages/network/src/scoreboard.ts
// -       if (nowMs - entry.pressedAtMs < PRESSURE_INTERVAL_MS) return false;
// +       if (nowMs < PRESSURE_INTERVAL_MS) return false;
test('a peer that sends as fast as it is read is seen to, and never banned for that alone', () => {
  const clock = new FakeClock();
  const board = new Scoreboard(clock, 1_000);
  for (let i = 0; i < 20_000; i++) {
    expect(board.penalize('peer', { code: 'RATE_EXCEEDED' })).toBe(false);
    clock.advance(50);
  }
  expect(board.score('peer')).toBeLessThan(-50);
});

test('forgiving ends a ban and its history', () => {
  const board = new Scoreboard(new FakeClock(), 1_000);
  board.penalize('peer', { code: 'VOTE_SIGNATURE' });
  board.forgive('peer');
  expect([board.banned('peer'), board.score('peer')]).toEqual([false, 0]);
});

// @mutation packages/network/src/scoreboard.ts
// -     this.#entries.delete(key);
// -     this.#entries.set(key, entry);
// +     this.#entries.set(key, entry);
test('the list of offenders is bounded, and forgets whose last offence is the oldest', () => {
  const board = new Scoreboard(new FakeClock(), 1_000);
  board.penalize('old offender', { code: 'VOTE_SIGNATURE' });
  board.penalize('once', { code: 'MALFORMED' });
  board.penalize('old offender', { code: 'MALFORMED' });
  for (let i = 0; i < 4_095; i++) board.penalize(`peer ${i}`, { code: 'MALFORMED' });
  expect([board.banned('old offender'), board.score('once')]).toEqual([true, 0]);
});
