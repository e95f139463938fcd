import { type Clock, HEALTH_EVENTS_MAX, type Timer } from '@nacre/base';
import type { PartitionEvent, Replica, SyncState } from '@nacre/replica';
import type { NetworkState } from './backend.ts';

/** The network state has no events of its own; it is looked at this often, in ms. */
const LOOK_INTERVAL_MS = 200;

/** What happened to the health of this node, or of the network as it sees it. */
export type HealthEvent = {
  /** Counts the events of this process from 0 on. */
  readonly sequence: number;
  /** Wall clock in ms since 1970. */
  readonly atMs: number;
} & (
  | { readonly kind: 'state'; readonly networkState: NetworkState }
  | { readonly kind: 'partition'; readonly partition: PartitionEvent }
  | { readonly kind: 'sync'; readonly sync: SyncState }
);

type HealthChange = HealthEvent extends infer Event ? (Event extends HealthEvent ? Omit<Event, 'sequence' | 'atMs'> : never) : never;

interface Dependencies {
  readonly replica: { readonly reach: Pick<Replica['reach'], 'onPartition'>; readonly sync: Pick<Replica['sync'], 'onChange'> };
  readonly networkState: () => NetworkState;
  readonly clock: Clock;
}

/**
 * The latest health events of this process. They are what it saw and not what the network decided, so they are nowhere but in its memory, and
 * no other node has the same.
 */
export class HealthLog {
  readonly #dependencies: Dependencies;
  /** When this process began to count, in ms since 1970: tells its events from those of other processes. */
  readonly sinceMs: number;
  readonly #events: HealthEvent[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #stops: readonly (() => void)[];
  #next = 0;
  #state: NetworkState | null = null;
  #timer: Timer | null = null;

  constructor(dependencies: Dependencies) {
    const { replica, clock } = dependencies;
    this.#dependencies = dependencies;
    this.sinceMs = clock.nowMs();
    this.#stops = [
      replica.reach.onPartition((partition) => this.#add({ kind: 'partition', partition })),
      replica.sync.onChange((sync) => this.#add({ kind: 'sync', sync })),
    ];
    this.#watchState();
  }

  /** Of the next event. */
  get next(): number {
    return this.#next;
  }

  /** Of the oldest event that is still here; at most `HEALTH_EVENTS_MAX` are. */
  get oldest(): number {
    return this.#next - this.#events.length;
  }

  at(sequence: number): HealthEvent | undefined {
    return this.#events[sequence - this.oldest];
  }

  /** Calls `listener` after each event. @returns how to stop it */
  onEvent(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#timer?.cancel();
    for (const stop of this.#stops) stop();
  }

  #watchState(): void {
    this.#timer = this.#dependencies.clock.schedule(LOOK_INTERVAL_MS, () => {
      const state = this.#dependencies.networkState();
      // A reason that counts seconds is no news; another one is.
      const isNew = this.#state === null || state.state !== this.#state.state || withoutNumbers(state) !== withoutNumbers(this.#state);
      if (isNew) this.#add({ kind: 'state', networkState: state });
      this.#state = state;
      this.#watchState();
    });
  }

  #add(change: HealthChange): void {
    this.#events.push({ sequence: this.#next++, atMs: this.#dependencies.clock.nowMs(), ...change });
    if (this.#events.length > HEALTH_EVENTS_MAX) this.#events.shift();
    for (const listener of this.#listeners) listener();
  }
}

function withoutNumbers({ reason }: NetworkState): string {
  return (reason ?? '').replaceAll(/\d+ s/g, '');
}
