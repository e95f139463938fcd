import { type Address, assert, bytesEqual, toHex } from '@nacre/base';
import { addressOf } from '@nacre/crypto';
import type { KeyHolder } from './cluster.ts';
import { SIMULATED_SCHEME, type SimKey } from './signature-kit.ts';

/** A validator, or whoever may become one, as the simulation knows it: every key that it ever made, and the one that its clients sign with. */
export class SimValidator implements KeyHolder {
  readonly address: Address;
  readonly first: SimKey;
  readonly #keys = new Map<string, SimKey>();
  #current: SimKey;

  constructor(first: SimKey) {
    this.address = addressOf(SIMULATED_SCHEME, first.signer.publicKey);
    this.first = first;
    this.#current = first;
    this.#keys.set(toHex(first.signer.publicKey), first);
  }

  get signer(): SimKey['signer'] {
    return this.#current.signer;
  }

  get signNow(): SimKey['signNow'] {
    return this.#current.signNow;
  }

  /** Of those that it made. */
  keyOf(publicKey: Uint8Array): SimKey {
    const key = this.#keys.get(toHex(publicKey));
    assert(key !== undefined, 'a validator has only keys of its own making');
    return key;
  }

  /** Another one, which nobody knows of yet. */
  made(key: SimKey): SimKey {
    this.#keys.set(toHex(key.signer.publicKey), key);
    return key;
  }

  /** Its operator has learned that the network knows the account by this key. */
  rotatedTo(publicKey: Uint8Array): void {
    if (!bytesEqual(publicKey, this.#current.signer.publicKey)) this.#current = this.keyOf(publicKey);
  }
}
