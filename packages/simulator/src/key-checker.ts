import { bytesEqual, toHex } from '@nacre/base';
import type { Member } from './committee-book.ts';
import type { Report } from './violation.ts';

/** From the epoch in which a rotation is decided to the one from which on the new key votes. Protocol, section 5: set changes act at e + 2. */
const DELAY_EPOCHS = 2;

interface Rotation {
  readonly publicKey: Uint8Array;
  readonly epoch: number;
}

/**
 * Who votes by which key, told from nothing but first keys and decided rotations: a key votes from the second epoch behind the one that decided
 * it, and in no committee before; nobody has two places.
 */
export class KeyChecker {
  readonly #first: ReadonlyMap<string, Uint8Array>;
  readonly #rotations = new Map<string, Rotation[]>();
  readonly #report: Report;

  /** @param holders everyone who may ever be a validator, with the key that its address is the hash of */
  constructor(holders: readonly { readonly address: Uint8Array; readonly publicKey: Uint8Array }[], report: Report) {
    this.#first = new Map(holders.map(({ address, publicKey }) => [toHex(address), publicKey]));
    this.#report = report;
  }

  /** The network has decided that an account has another key. */
  rotated(address: Uint8Array, rotation: Rotation): void {
    const name = toHex(address);
    this.#rotations.set(name, [...(this.#rotations.get(name) ?? []), rotation]);
  }

  /** Call for the committee of each epoch, when all blocks before it were told. */
  began(epoch: number, committee: readonly Member[]): void {
    const places = new Set<string>();
    for (const { address, publicKey } of committee) {
      const name = toHex(address);
      if (places.has(name)) this.#report('COMMITTEE', `epoch ${epoch}: ${name} has two places`);
      places.add(name);
      const expected = this.#keyIn(epoch, name);
      if (expected === undefined) this.#report('COMMITTEE', `epoch ${epoch} has ${name}, whom nobody knows`);
      else if (!bytesEqual(expected, publicKey)) this.#report('COMMITTEE', `epoch ${epoch}: ${name} has another key than was decided`);
    }
  }

  #keyIn(epoch: number, name: string): Uint8Array | undefined {
    const due = this.#rotations.get(name)?.findLast((rotation) => rotation.epoch + DELAY_EPOCHS <= epoch);
    return due?.publicKey ?? this.#first.get(name);
  }
}
