import { type Profiler, Session } from 'node:inspector';

/** What one function has run since it was last looked at: 1 for each character of its source that ran. */
export interface Reached {
  /** Script and place of the function. */
  readonly name: string;
  readonly characters: Uint8Array;
}

/**
 * Which characters of the source have run, by the engine's own block coverage. One for a process, made before what it is to
 * cover has run: code that was compiled without counters does not get any later.
 */
export class SourceCoverage implements Disposable {
  readonly #session = new Session();
  readonly #isCounted: (url: string) => boolean;
  readonly #reached = new Map<string, Uint8Array>();
  #characters = 0;

  /** @param isCounted by the URL of a script */
  constructor(isCounted: (url: string) => boolean) {
    this.#isCounted = isCounted;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    this.take();
  }

  /** Begins anew, for another target. */
  forget(): void {
    this.#reached.clear();
    this.#characters = 0;
    this.take();
  }

  /** Characters that have been added. */
  get characters(): number {
    return this.#characters;
  }

  /** What has run since the last call and was not added before. */
  take(): Reached[] {
    const fresh: Reached[] = [];
    // The callback is called before post returns: the session is that of this very thread.
    this.#session.post('Profiler.takePreciseCoverage', (error: Error | null, taken: Profiler.TakePreciseCoverageReturnType) => {
      if (error) throw error;
      for (const { scriptId, url, functions } of taken.result) {
        if (!this.#isCounted(url)) continue;
        for (const { ranges, isBlockCoverage } of functions) {
          const [whole] = ranges;
          // A function without counters of its own would say of everything in it that it has run.
          if (whole === undefined || !isBlockCoverage) continue;
          const name = `${scriptId}:${whole.startOffset}`;
          const characters = paint(whole, ranges);
          const known = this.#reached.get(name);
          if (characters.some((ran, at) => ran === 1 && known?.[at] !== 1)) fresh.push({ name, characters });
        }
      }
    });
    return fresh;
  }

  add(reached: readonly Reached[]): void {
    for (const { name, characters } of reached) {
      const known = this.#reached.get(name) ?? new Uint8Array(characters.length);
      for (const [at, ran] of characters.entries()) {
        if (ran !== 1 || known[at] === 1) continue;
        known[at] = 1;
        this.#characters++;
      }
      this.#reached.set(name, known);
    }
  }

  [Symbol.dispose](): void {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }
}

/** Ranges come outermost first; an inner one is there only where its count differs from what is around it. */
function paint(whole: Profiler.CoverageRange, ranges: readonly Profiler.CoverageRange[]): Uint8Array {
  const characters = new Uint8Array(whole.endOffset - whole.startOffset);
  for (const { startOffset, endOffset, count } of ranges) {
    characters.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset);
  }
  return characters;
}
