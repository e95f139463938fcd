interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void | Promise<void>;
}

/** Virtual time: acts in the order of their time, those of one time in the order in which they came. A binary heap. */
export class EventQueue {
  readonly #heap: Entry[] = [];
  #order = 0;

  at(atMs: number, act: () => void | Promise<void>): void {
    const heap = this.#heap;
    let child = heap.push({ atMs, order: this.#order++, act }) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#isBefore(child, parent)) return;
      this.#swap(child, parent);
      child = parent;
    }
  }

  /** Runs everything, and what comes of it. */
  async run(): Promise<void> {
    for (let next = this.#take(); next !== undefined; next = this.#take()) await next.act();
  }

  #take(): Entry | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let parent = 0; ; ) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2]) if (child < heap.length && this.#isBefore(child, least)) least = child;
      if (least === parent) return first;
      this.#swap(parent, least);
      parent = least;
    }
  }

  #isBefore(one: number, other: number): boolean {
    const [a, b] = [this.#heap[one] as Entry, this.#heap[other] as Entry];
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }

  #swap(one: number, other: number): void {
    [this.#heap[one], this.#heap[other]] = [this.#heap[other] as Entry, this.#heap[one] as Entry];
  }
}
