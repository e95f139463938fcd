import type { Hash } from '@nacre/base';
import { LedgerError } from './errors.ts';
import { type StateKind, stateValueHash } from './state-kinds.ts';

/** Gives the bytes stored for a key of the state tree, as of the tip. */
export type StateReader = (stateKey: Hash) => Uint8Array | undefined;

interface Entry {
  readonly stateKey: Hash;
  readonly value: unknown;
  readonly encode: () => Uint8Array;
}

/** A changed entry of the state, ready for the tree and the store. */
export interface StateWrite {
  readonly stateKey: Hash;
  readonly valueHash: Hash;
  readonly bytes: Uint8Array;
}

/**
 * The state as a block changes it, on top of the state before the block. Values are never changed in place: a changed value is set anew, so
 * taking back a transaction means putting the former ones back.
 */
export class Overlay {
  readonly #read: StateReader;
  readonly #before = new Map<string, unknown>();
  readonly #changed = new Map<string, Entry>();
  /** What the current transaction has replaced; null outside of one. */
  #undo: Map<string, Entry | undefined> | null = null;

  constructor(read: StateReader) {
    this.#read = read;
  }

  get<Identity, Value>(kind: StateKind<Identity, Value>, identity: Identity): Value | undefined {
    const changed = this.#changed.get(kind.mapKey(identity));
    return changed === undefined ? this.before(kind, identity) : (changed.value as Value);
  }

  /** The value before the block, whatever the block has changed. */
  before<Identity, Value>(kind: StateKind<Identity, Value>, identity: Identity): Value | undefined {
    const mapKey = kind.mapKey(identity);
    if (this.#before.has(mapKey)) return this.#before.get(mapKey) as Value | undefined;
    const value = readState(this.#read, kind, identity);
    this.#before.set(mapKey, value);
    return value;
  }

  set<Identity, Value>(kind: StateKind<Identity, Value>, identity: Identity, value: Value): void {
    const mapKey = kind.mapKey(identity);
    const former = this.#changed.get(mapKey);
    if (this.#undo !== null && !this.#undo.has(mapKey)) this.#undo.set(mapKey, former);
    const stateKey = former?.stateKey ?? kind.stateKey(identity);
    this.#changed.set(mapKey, { stateKey, value, encode: () => kind.codec.encode(value) });
  }

  /** Runs `action`, and takes back what it has set if it returns a failure. */
  attempt<Failure>(action: () => Failure | null): Failure | null {
    const undo = new Map<string, Entry | undefined>();
    this.#undo = undo;
    const failure = action();
    this.#undo = null;
    if (failure === null) return null;
    for (const [mapKey, former] of undo) {
      if (former === undefined) this.#changed.delete(mapKey);
      else this.#changed.set(mapKey, former);
    }
    return failure;
  }

  writes(): StateWrite[] {
    return Array.from(this.#changed.values(), ({ stateKey, encode }) => {
      const bytes = encode();
      return { stateKey, valueHash: stateValueHash(bytes), bytes };
    });
  }
}

/** @throws {LedgerError} code `LEDGER_DAMAGED` if what is stored does not decode */
export function readState<Identity, Value>(read: StateReader, kind: StateKind<Identity, Value>, identity: Identity): Value | undefined {
  const bytes = read(kind.stateKey(identity));
  if (bytes === undefined) return undefined;
  const decoded = kind.codec.decode(bytes);
  if (!decoded.ok) throw LedgerError.damaged('a state value does not decode', { fields: { refusal: decoded.error } });
  return decoded.value;
}
