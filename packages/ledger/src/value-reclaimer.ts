import { setImmediate } from 'node:timers/promises';
import type { LoggedValue, ValueLog, ValuePointer } from './value-log.ts';

/** Entries looked at before others get their turn. */
const ENTRIES_PER_TURN = 64;
/** Values moved with one write, in bytes; the last one may exceed it. */
const MOVED_BYTES = 1024 * 1024;

interface Dependencies {
  readonly values: ValueLog;
  /** Whether the store points at this place for the key. */
  readonly isLive: (key: Uint8Array, pointer: ValuePointer) => boolean;
  /** Writes those values anew that are still pointed at; durable when it resolves. */
  readonly move: (values: readonly (LoggedValue & { readonly pointer: ValuePointer })[]) => Promise<void>;
  /** Whether the store points anywhere into a segment, asked for those that cannot be read to their end; goes through all of the store. */
  readonly pointsInto: (segment: number, isStopped: () => boolean) => Promise<boolean>;
}

/**
 * Gives back the room of values that were deleted or replaced. Each time a segment of the value log is full, the closed one that was looked
 * through longest ago is again; if less than half of it is alive, that is written anew and the file removed. So as much is
 * looked at as is written. Of a segment that a crash has torn, or a disk has damaged, the end cannot be read: it is removed when nothing points
 * there any more, and stays as long as something does.
 */
export class ValueReclaimer {
  readonly #dependencies: Dependencies;
  #running: Promise<void> | null = null;
  #stopped = false;
  /** Closed segments, the one looked through longest ago first. */
  #queue: number[] = [];

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /** Looks through the next segment, unless one is being looked through. What fails on the way is tried again when its turn comes. */
  start(): void {
    if (this.#stopped) return;
    this.#running ??= this.#lookThroughNext()
      .catch(() => {})
      .finally(() => {
        this.#running = null;
      });
  }

  /** Looks through every closed segment. For when much has been deleted. */
  async all(): Promise<void> {
    const count = this.#dependencies.values.closedSegments.length;
    for (let i = 0; i < count && !this.#stopped; i++) {
      await this.#running;
      this.start();
    }
    await this.#running;
  }

  /** Waits for the step under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #lookThroughNext(): Promise<void> {
    const { values, pointsInto } = this.#dependencies;
    this.#queue.push(...values.closedSegments.filter((segment) => !this.#queue.includes(segment)));
    const segment = this.#queue.shift();
    if (segment === undefined) return;
    const { whole, mostlyAlive } = await this.#look(segment);
    if (this.#stopped || mostlyAlive) return;
    await this.#moveAway(segment);
    const isStopped = () => this.#stopped;
    if (!whole && (await pointsInto(segment, isStopped))) return;
    if (!this.#stopped) await values.remove(segment);
  }

  async #look(segment: number): Promise<{ readonly whole: boolean; readonly mostlyAlive: boolean }> {
    const { values, isLive } = this.#dependencies;
    let bytes = 0;
    let liveBytes = 0;
    let seen = 0;
    const whole = await values.visit(segment, async ({ key }, pointer) => {
      if (this.#stopped) return;
      bytes += pointer.length;
      if (isLive(key, pointer)) liveBytes += pointer.length;
      if (++seen % ENTRIES_PER_TURN === 0) await setImmediate();
    });
    return { whole, mostlyAlive: 2 * liveBytes > bytes };
  }

  async #moveAway(segment: number): Promise<void> {
    const { values, isLive, move } = this.#dependencies;
    let moving: (LoggedValue & { pointer: ValuePointer })[] = [];
    let bytes = 0;
    await values.visit(segment, async ({ key, value }, pointer) => {
      if (this.#stopped || !isLive(key, pointer)) return;
      moving.push({ key, value, pointer });
      bytes += value.length;
      if (bytes < MOVED_BYTES) return;
      await move(moving);
      moving = [];
      bytes = 0;
    });
    if (moving.length > 0 && !this.#stopped) await move(moving);
  }
}
