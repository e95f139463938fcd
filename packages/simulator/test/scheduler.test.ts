import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventHeap, type ScheduledEvent } from '../src/event-heap.ts';
import { ProcessLife, TRUE_CLOCK } from '../src/process-life.ts';
import { Scheduler } from '../src/scheduler.ts';
import { Machine } from './support/machine.ts';

const FAR = { untilMs: 1_000_000, eventsMax: 1_000 };

test('the heap gives events by time, and those of one time in the order they came', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 5 }))), (steps) => {
      const heap = new EventHeap();
      let oracle: ScheduledEvent[] = [];
      for (const [sequence, [push, timeMs]] of steps.entries()) {
        if (push) {
          const event = { timeMs, sequence, action: null };
          heap.push(event);
          oracle.push(event);
          oracle.sort((a, b) => a.timeMs - b.timeMs || a.sequence - b.sequence);
        } else {
          expect(heap.pop()).toBe(oracle[0]);
          oracle = oracle.slice(1);
        }
        expect(heap.peek()).toBe(oracle[0]);
        expect(heap.size).toBe(oracle.length);
      }
    }),
  );
});

test('events run in order of time, and everything they wake has settled before the next', async () => {
  const scheduler = new Scheduler();
  const seen: string[] = [];
  scheduler.schedule(5, () => seen.push('late'));
  scheduler.schedule(1, () => {
    seen.push('early');
    void (async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve();
      seen.push('woken');
    })();
  });
  expect(await scheduler.run(FAR)).toEqual({ kind: 'idle' });
  expect(seen).toEqual(['early', 'woken', 'late']);
  expect(scheduler.nowMs).toBe(5);
  expect(scheduler.eventsRun).toBe(2);
});

test('a cancelled event does not run and does not move the clock', async () => {
  const scheduler = new Scheduler();
  const timer = scheduler.schedule(5, () => expect.unreachable());
  timer.cancel();
  expect(await scheduler.run(FAR)).toEqual({ kind: 'idle' });
  expect(scheduler.nowMs).toBe(0);
});

test('a run ends at its time, and the next goes on from there', async () => {
  const scheduler = new Scheduler();
  const seen: number[] = [];
  for (const time of [10, 20, 30]) scheduler.schedule(time, () => seen.push(time));
  expect(await scheduler.run({ ...FAR, untilMs: 25 })).toEqual({ kind: 'time' });
  expect(scheduler.nowMs).toBe(25);
  expect(seen).toEqual([10, 20]);
  expect(await scheduler.run(FAR)).toEqual({ kind: 'idle' });
  expect(seen).toEqual([10, 20, 30]);
});

test('a run ends when its condition holds', async () => {
  const scheduler = new Scheduler();
  for (const time of [1, 2, 3]) scheduler.schedule(time, () => {});
  expect(await scheduler.run({ ...FAR, until: () => scheduler.eventsRun === 2 })).toEqual({ kind: 'reached' });
  expect(scheduler.nowMs).toBe(2);
});

test('a replica that answers itself for ever is stopped by the bound on events', async () => {
  const scheduler = new Scheduler();
  const again = (): void => {
    scheduler.schedule(0, again);
  };
  again();
  expect(await scheduler.run(FAR)).toEqual({ kind: 'events' });
});

test('an exception in an event ends the run and is told', async () => {
  const scheduler = new Scheduler();
  const error = new Error('planted');
  scheduler.schedule(1, () => {
    throw error;
  });
  scheduler.schedule(2, () => expect.unreachable());
  expect(await scheduler.run(FAR)).toEqual({ kind: 'failed', error });
});

test('a rejection that nobody handles ends the run, and the listeners of before come back', async () => {
  const scheduler = new Scheduler();
  const error = new Error('planted');
  const before = process.rawListeners('unhandledRejection');
  scheduler.schedule(1, () => {
    void Promise.reject(error);
  });
  scheduler.schedule(2, () => expect.unreachable());
  expect(await scheduler.run(FAR)).toEqual({ kind: 'failed', error });
  expect(process.rawListeners('unhandledRejection')).toEqual(before);
});

test('an exception in a microtask ends the run', async () => {
  const scheduler = new Scheduler();
  const error = new Error('planted');
  scheduler.schedule(1, () =>
    queueMicrotask(() => {
      throw error;
    }),
  );
  expect(await scheduler.run(FAR)).toEqual({ kind: 'failed', error });
});

test('the first failure is the one that is told', async () => {
  const scheduler = new Scheduler();
  scheduler.schedule(1, () => {
    scheduler.fail('first');
    scheduler.fail('second');
  });
  expect(await scheduler.run(FAR)).toEqual({ kind: 'failed', error: 'first' });
});

test('events lie in the future', () => {
  const scheduler = new Scheduler();
  expect(() => scheduler.schedule(-1, () => {})).toThrow(/future/);
  expect(() => scheduler.schedule(Number.NaN, () => {})).toThrow(/future/);
});

test('timers of a crashed process never fire, and its code that still runs is a bug of the simulation', async () => {
  const machine = new Machine();
  const life = machine.life();
  life.schedule(10, () => expect.unreachable());
  life.end();
  await machine.pass(100);
  expect(() => life.nowMs()).toThrow(/after its crash/);
  expect(() => life.schedule(1, () => {})).toThrow(/after its crash/);
});

test('a process reads whole ms since 1970 from a clock that may be off', async () => {
  const scheduler = new Scheduler();
  const life = new ProcessLife({ node: 0, generation: 0, epochMs: 5_000, clock: { ...TRUE_CLOCK, offsetMs: -100 } }, { scheduler });
  scheduler.schedule(1.75, () => {});
  await scheduler.run(FAR);
  expect(life.nowMs()).toBe(4_901);
});
