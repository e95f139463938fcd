/** Something slow: while it is shut, whoever passes waits. */
export class Gate {
  #waiting: (() => void)[] | null = null;

  /** How many wait now. */
  get waiting(): number {
    return this.#waiting?.length ?? 0;
  }

  shut(): void {
    this.#waiting ??= [];
  }

  open(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const go of waiting) go();
  }

  pass(): Promise<void> {
    const waiting = this.#waiting;
    if (waiting === null) return Promise.resolve();
    return new Promise((resolve) => waiting.push(resolve));
  }
}
