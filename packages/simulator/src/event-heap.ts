/** Something that happens at a point of virtual time. `action` is null once it was cancelled. */
export interface ScheduledEvent {
  readonly timeMs: number;
  /** Order of scheduling: decides between events of one time, so that the order of a run never depends on the heap's shape. */
  readonly sequence: number;
  action: (() => void) | null;
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.sequence < b.sequence);
}

/** Binary heap of events, earliest first. */
export class EventHeap {
  readonly #events: ScheduledEvent[] = [];

  get size(): number {
    return this.#events.length;
  }

  peek(): ScheduledEvent | undefined {
    return this.#events[0];
  }

  push(event: ScheduledEvent): void {
    const events = this.#events;
    let hole = events.length;
    events.push(event);
    while (hole > 0) {
      const parentIndex = (hole - 1) >> 1;
      const parent = events[parentIndex] as ScheduledEvent;
      if (!isBefore(event, parent)) break;
      events[hole] = parent;
      hole = parentIndex;
    }
    events[hole] = event;
  }

  pop(): ScheduledEvent | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (first === undefined || last === undefined || events.length === 0) return first;
    let hole = 0;
    for (;;) {
      let childIndex = 2 * hole + 1;
      if (childIndex >= events.length) break;
      let child = events[childIndex] as ScheduledEvent;
      const right = events[childIndex + 1];
      if (right !== undefined && isBefore(right, child)) {
        childIndex++;
        child = right;
      }
      if (!isBefore(child, last)) break;
      events[hole] = child;
      hole = childIndex;
    }
    events[hole] = last;
    return first;
  }
}
