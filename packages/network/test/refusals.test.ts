import type { Log } from '@nacre/base';
import { expect, test } from 'vitest';
import { Counters } from '../src/network-counters.ts';
import { Refusals } from '../src/refusals.ts';
import { FakeClock } from './support/fake-clock.ts';

function recorded(): { refusals: Refusals; counters: Counters; clock: FakeClock; lines: unknown[] } {
  const lines: unknown[] = [];
  const ignore = () => {};
  const log: Log = { debug: ignore, info: (fields, message) => lines.push([message, fields]), warn: ignore, error: ignore };
  const [counters, clock] = [new Counters(), new FakeClock()];
  return { refusals: new Refusals({ counters, log, clock }), counters, clock, lines };
}

// @mutation packages/network/src/refusals.ts
// -     this.#log.info({ ...fields, code }, 'connection refused');
// +
// @mutation packages/network/src/refusals.ts
// -     this.#counters.refuse(code);
// +
test('a refused connection is counted and logged with its reason', () => {
  const { refusals, counters, lines } = recorded();
  refusals.refuse('INSECURE', { multiaddr: '/ip4/127.0.0.1/tcp/1', direction: 'inbound' });
  expect(counters.read().refused).toEqual({ INSECURE: 1 });
  expect(lines).toEqual([['connection refused', { code: 'INSECURE', multiaddr: '/ip4/127.0.0.1/tcp/1', direction: 'inbound' }]]);
});

// @mutation packages/network/src/refusals.ts
// -     if (code === 'DUPLICATE' || !this.#rate.tryTake(1, this.#clock.nowMs())) return;
// +     if (code === 'DUPLICATE') return;
test('of a flood of refusals ten a second are logged, and all are counted', () => {
  const { refusals, counters, clock, lines } = recorded();
  for (let i = 0; i < 1000; i++) refusals.refuse('TOO_MANY', {});
  expect(lines).toHaveLength(10);
  clock.advance(1000);
  for (let i = 0; i < 1000; i++) refusals.refuse('TOO_MANY', {});
  expect(lines).toHaveLength(20);
  expect(counters.read().refused).toEqual({ TOO_MANY: 2000 });
});

// @mutation packages/network/src/refusals.ts
// -     if (code === 'DUPLICATE' || !this.#rate.tryTake(1, this.#clock.nowMs())) return;
// +     if (!this.#rate.tryTake(1, this.#clock.nowMs())) return;
test('the second of two connections between the same two nodes is counted only', () => {
  const { refusals, counters, lines } = recorded();
  refusals.refuse('DUPLICATE', {});
  expect(lines).toEqual([]);
  expect(counters.read().refused).toEqual({ DUPLICATE: 1 });
});
