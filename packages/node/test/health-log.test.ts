import type { Clock } from '@nacre/base';
import type { PartitionEvent, SyncState } from '@nacre/replica';
import { beforeEach, describe, expect, test } from 'vitest';
import type { NetworkState } from '../src/backend.ts';
import { HealthLog } from '../src/health-log.ts';

/** What a replica and a clock do here, the test does. */
class Double {
  state: NetworkState = { state: 'NORMAL', reason: null };
  nowMs = 5_000;
  partition: (event: PartitionEvent) => void = () => {};
  sync: (state: SyncState) => void = () => {};
  #due: (() => void) | null = null;
  readonly clock: Clock = {
    nowMs: () => this.nowMs,
    schedule: (_, action) => {
      this.#due = action;
      return {
        cancel: () => {
          this.#due = null;
        },
      };
    },
  };
  readonly log = new HealthLog({
    clock: this.clock,
    networkState: () => this.state,
    replica: {
      reach: {
        onPartition: (listener) => {
          this.partition = listener;
          return () => {};
        },
      },
      sync: {
        onChange: (listener) => {
          this.sync = listener;
          return () => {};
        },
      },
    },
  });

  /** The next look at the state. @returns whether there is one */
  tick(): boolean {
    const due = this.#due;
    this.#due = null;
    due?.();
    return due !== null;
  }

  events(): unknown[] {
    return Array.from({ length: this.log.next - this.log.oldest }, (_, i) => this.log.at(this.log.oldest + i));
  }
}

let double: Double;

beforeEach(() => {
  double = new Double();
});

describe('the health log', () => {
  // @mutation packages/node/src/health-log.ts
  // - if (isNew) this.#add({ kind: 'state', networkState: state });
  // + this.#add({ kind: 'state', networkState: state });
  test('tells of a network state when it is another one, or has another reason', () => {
    double.tick();
    double.tick();
    double.state = { state: 'PARTITIONED', reason: 'no block for 31 s; an idle network makes one every 10 s' };
    double.tick();
    double.state = { state: 'PARTITIONED', reason: 'no block for 32 s; an idle network makes one every 10 s' };
    double.tick();
    double.state = { state: 'PARTITIONED', reason: 'reaches weight 1000 of 4000' };
    double.tick();
    expect(double.events()).toMatchObject([
      { sequence: 0, atMs: 5_000, kind: 'state', networkState: { state: 'NORMAL' } },
      { sequence: 1, kind: 'state', networkState: { reason: expect.stringContaining('31 s') } },
      { sequence: 2, kind: 'state', networkState: { reason: 'reaches weight 1000 of 4000' } },
    ]);
  });

  test('tells of partitions and of the sync', () => {
    let told = 0;
    const stop = double.log.onEvent(() => told++);
    double.partition({ kind: 'partitioned', atMs: 1, sides: [] });
    double.sync({ kind: 'idle' });
    stop();
    double.sync({ kind: 'idle' });
    expect(told).toBe(2);
    expect(double.events()).toMatchObject([
      { sequence: 0, kind: 'partition', partition: { kind: 'partitioned' } },
      { sequence: 1, kind: 'sync', sync: { kind: 'idle' } },
      { sequence: 2, kind: 'sync' },
    ]);
  });

  // @mutation packages/node/src/health-log.ts
  // - if (this.#events.length > HEALTH_EVENTS_MAX) this.#events.shift();
  // +
  test('keeps a thousand events, the latest ones, under their numbers', () => {
    for (let i = 0; i < 1_005; i++) double.sync({ kind: 'idle' });
    expect([double.log.oldest, double.log.next]).toEqual([5, 1_005]);
    expect(double.log.at(4)).toBeUndefined();
    expect(double.log.at(5)).toMatchObject({ sequence: 5 });
  });

  test('looks at nothing any more once it is closed', () => {
    double.log.close();
    expect(double.tick()).toBe(false);
  });
});
