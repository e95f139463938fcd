import { assert } from '@nacre/base';

/**
 * Whose turn it is to propose, by weight and without state: slot `height + round` belongs to who takes that seat when seats
 * go one by one to the highest quotient weight / (2k + 1), k being the seats taken so far, the lower index among equals
 * (Sainte-Laguë's divisors, 1910; in Webster's words, whoever is furthest behind its share rounded to the nearest).
 *
 * The sequence repeats after totalWeight / gcd(weights) slots, in which each validator has weight / gcd turns, spread as
 * evenly as whole turns can be. Equal weights give plain round robin.
 */
export class ProposerRotation {
  readonly #weights: readonly bigint[];
  readonly #totalWeight: bigint;

  /** @param weights positive integers, at least one */
  constructor(weights: readonly number[]) {
    assert(weights.length > 0, 'somebody has to propose');
    this.#weights = weights.map(BigInt);
    this.#totalWeight = this.#weights.reduce((sum, weight) => sum + weight, 0n);
  }

  /** @returns the validator's index */
  at(height: number, round: number): number {
    const slot = BigInt(height) + BigInt(round);
    const taken = this.#seatsSurelyTaken(slot);
    for (let left = slot - taken.reduce((sum, seats) => sum + seats, 0n); left > 0n; left--) {
      const next = this.#nextSeat(taken);
      taken[next] = (taken[next] as bigint) + 1n;
    }
    return this.#nextSeat(taken);
  }

  /**
   * Seats that each validator holds for certain after `slot` seats, at most n fewer in all than `slot`.
   *
   * Validator i takes its seat k at "time" (2k + 1) / (2 w_i); seats go in the order of these times. Up to time t it takes
   * floor(t w_i + 1/2), which is within 1/2 of t w_i, so all take between t W - n/2 and t W + n/2. At t = (slot - n/2) / W
   * that is at most `slot`: all these seats are among the first `slot` ones. The share rounded down minus one would
   * not do as a bound, because many small weights can round up together at the cost of a large one by more than a seat.
   */
  #seatsSurelyTaken(slot: bigint): bigint[] {
    const doubledTime = 2n * slot - BigInt(this.#weights.length);
    if (doubledTime <= 0n) return this.#weights.map(() => 0n);
    return this.#weights.map((weight) => (doubledTime * weight + this.#totalWeight) / (2n * this.#totalWeight));
  }

  #nextSeat(taken: readonly bigint[]): number {
    let best = 0;
    for (let i = 1; i < taken.length; i++) {
      const ahead = this.#weight(i) * (2n * (taken[best] as bigint) + 1n) > this.#weight(best) * (2n * (taken[i] as bigint) + 1n);
      if (ahead) best = i;
    }
    return best;
  }

  #weight(index: number): bigint {
    return this.#weights[index] as bigint;
  }
}
