import { type Statement, StatementChecker, statementsIn } from '@nacre/simulator';
import type { SeenFrame } from './memory-network.ts';

/** Every vote and proposal that ever left a process, over all lives of all keys. */
export class Statements {
  /** Pairs that contradict each other; empty unless a key said two things at one place. */
  readonly conflicts: string[] = [];
  /** Each statement once, in the order in which they were first sent. */
  readonly said: Statement[] = [];
  readonly #known = new Set<string>();
  readonly #checker = new StatementChecker((_, detail) => this.conflicts.push(detail));

  /** @returns what the frame says that was never said before */
  see(frame: SeenFrame): Statement[] {
    const fresh = statementsIn(frame).filter((statement) => {
      this.#checker.see(statement);
      const id = JSON.stringify(statement);
      return !this.#known.has(id) && this.#known.add(id);
    });
    this.said.push(...fresh);
    return fresh;
  }
}
