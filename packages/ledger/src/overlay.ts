import type { Hash } from '@nacre/base';
import type { Codec } from '@nacre/consensus';
import { LedgerError } from './errors.ts';
import { type StateKind, stateValueHash } from './state-kinds.ts';

/** Gives the bytes stored for a key of the state tree, as of the tip. */
export type StateReader = (stateKey: Hash) => Uint8Array | undefined;

/** Gives values of the state before a block. The same one for as long as the block is executed. */
export interface StateBefore {
  value<Identity, Value>(kind: StateKind<Identity, Value>, identity: Identity): Value | undefined;
}

interface Entry {
  readonly stateKey: Hash;
  readonly value: unknown;
  readonly encode: () => Uint8Array;
}

/** A changed entry of the state, ready for the tree, the store, and whoever keeps values decoded. */
export interface StateWrite {
  /** See `StateKind.mapKey`. */
  readonly name: string;
  readonly value: unknown;
  readonly stateKey: Hash;
  readonly valueHash: Hash;
  readonly bytes: Uint8Array;
}

/**
 * The state as a block changes it, on top of the state before the block. Values are never changed in place: a changed value is set anew, so
 * taking back a transaction means putting the former ones back.
 */
export class Overlay {
  readonly #before: StateBefore;
  readonly #changed = new Map<string, Entry>();
  /** What the current transaction has replaced; null outside of one. */
  #undo: Map<string, Entry | undefined> | null = null;

  constructor(before: StateBefore) {
    this.#before = before;
  }

  get<Identity, Value>(kind: StateKind<Identity, Value>, identity: Identity): Value | undefined {
    const changed = this.#changed.get(kind.mapKey(identity));
    return changed === undefined ? this.before(kind, identity) : (changed.value as Value);
  }

  /** The value before the block, whatever the block has changed. */
  before<Identity, Value>(kind: StateKind<Identity, Value>, identity: Identity): Value | undefined {
    return this.#before.value(kind, identity);
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
    return Array.from(this.#changed, ([name, { stateKey, value, encode }]) => {
      const bytes = encode();
      return { name, value, stateKey, valueHash: stateValueHash(bytes), bytes };
    });
  }
}

/** What the store holds, decoded. @throws {LedgerError} code `LEDGER_DAMAGED` if it does not decode */
export function readState<Identity, Value>(read: StateReader, kind: StateKind<Identity, Value>, identity: Identity): Value | undefined {
  const bytes = read(kind.stateKey(identity));
  return bytes === undefined ? undefined : decodeState(kind, bytes);
}

/** @throws {LedgerError} code `LEDGER_DAMAGED` */
export function decodeState<Value>({ codec }: { readonly codec: Codec<Value> }, bytes: Uint8Array): Value {
  const decoded = codec.decode(bytes);
  if (!decoded.ok) throw LedgerError.damaged('a state value does not decode', { fields: { refusal: decoded.error } });
  return decoded.value;
}
