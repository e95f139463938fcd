import { assert, type Hash, type Random, utf8 } from '@nacre/base';
import { taggedHash } from '@nacre/crypto';

const TAG = 'nacre/1/simulator-random';
/** Outputs thrown away after seeding, so that similar seeds have diverged. PractRand uses the same order of magnitude. */
const WARM_UP_ROUNDS = 16;

/**
 * The only randomness of a simulated run. Small and fast rather than unpredictable: sfc32, 128 bits of state.
 *
 * Every part draws from a fork of its own, so one more draw in one part leaves the draws of all others as they were.
 *
 * @see sfc32: Chris Doty-Humphrey, PractRand, "Small Fast Counting" generator
 */
export class SeededRandom implements Random {
  readonly #identity: Hash;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(identity: Hash) {
    this.#identity = identity;
    const words = new DataView(identity.buffer, identity.byteOffset, identity.byteLength);
    this.#a = words.getUint32(0) | 0;
    this.#b = words.getUint32(4) | 0;
    this.#c = words.getUint32(8) | 0;
    for (let i = 0; i < WARM_UP_ROUNDS; i++) this.uint32();
  }

  static fromSeed(seed: number): SeededRandom {
    return new SeededRandom(taggedHash(TAG, utf8(`seed ${seed}`)));
  }

  /** A stream of its own, decided by this stream's seed and the label alone, whatever was drawn here before. */
  fork(label: string): SeededRandom {
    return new SeededRandom(taggedHash(TAG, this.#identity, utf8(label)));
  }

  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.uint32() / 2 ** 32;
  }

  /** Uniform integer in [0, n). The bias of scaling 32 bits is below n / 2^32 and means nothing to a simulation. */
  int(n: number): number {
    assert(Number.isInteger(n) && n > 0, 'an integer is drawn from a range that is not empty');
    return Math.floor(this.unit() * n);
  }

  /** Uniform in [min, max). */
  between(min: number, max: number): number {
    return min + this.unit() * (max - min);
  }

  /** True with probability `p`. Draws nothing for 0, so a fault that is switched off costs nothing. */
  chance(p: number): boolean {
    return p > 0 && this.unit() < p;
  }

  /** Exponential with the given mean: the waiting time of what happens at a constant rate. */
  exponential(mean: number): number {
    return -Math.log(1 - this.unit()) * mean;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)] as T;
  }

  /** Fisher-Yates, in a new array. */
  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j] as T, shuffled[i] as T];
    }
    return shuffled;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; ) {
      let word = this.uint32();
      for (const end = Math.min(i + 4, length); i < end; i++) {
        bytes[i] = word & 0xff;
        word >>>= 8;
      }
    }
    return bytes;
  }
}
