import type { Committee } from './committee.ts';

/** The highest round that each validator has signed anything for. Kept without the messages, so a far round costs nothing. */
export class RoundClaims {
  readonly #committee: Committee;
  /** -1: nothing heard. */
  readonly #rounds: number[];
  #highest = -1;

  constructor(committee: Committee) {
    this.#committee = committee;
    this.#rounds = new Array<number>(committee.size).fill(-1);
  }

  note(validator: number, round: number): void {
    this.#rounds[validator] = Math.max(this.#rounds[validator] as number, round);
    this.#highest = Math.max(this.#highest, round);
  }

  /**
   * The highest round above `round` that validators of more than 1/3 of the weight are at or beyond: at least one honest
   * validator got there. The paper's line 55 asks for one round's messages; claims of later rounds say the same and more.
   *
   * @returns null if there is none
   */
  jumpAbove(round: number): number | null {
    if (this.#highest <= round) return null;
    const ahead = [...this.#rounds.keys()].filter((validator) => (this.#rounds[validator] as number) > round);
    ahead.sort((a, b) => (this.#rounds[b] as number) - (this.#rounds[a] as number));
    let weight = 0;
    for (const validator of ahead) {
      weight += this.#committee.weight(validator);
      if (this.#committee.exceedsThird(weight)) return this.#rounds[validator] as number;
    }
    return null;
  }
}
