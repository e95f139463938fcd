import { type Hash, ZERO_HASH } from '@nacre/base';
import { taggedHash } from '@nacre/crypto';

const TAG = 'nacre/1/simulator-trace';
/** Bytes gathered before they are hashed. */
const BUFFER_BYTES = 64 * 1024;
/** Bytes of one entry: time, kind, three numbers, checksum of what it carries. */
const ENTRY_BYTES = 28;
/** Bytes of a frame that enter its checksum, evenly spread. All of them would cost more than delivering the frame. */
const SAMPLED_BYTES = 64;

export const TRACE_KINDS = [
  'deliver',
  'request',
  'answer',
  'connect',
  'disconnect',
  'start',
  'crash',
  'submit',
  'answered',
  'decided',
  'penalty',
  'partition',
  'heal',
  'damage',
  'clock',
  'exit',
  /** Something between a node and its signer went wrong, by `SIGNER_FAULT_KINDS`. */
  'signer',
] as const;
export type TraceKind = (typeof TRACE_KINDS)[number];
const KIND_CODES = Object.fromEntries(TRACE_KINDS.map((kind, code) => [kind, code])) as Record<TraceKind, number>;

export interface TraceEntry {
  readonly timeMs: number;
  readonly kind: TraceKind;
  /** Who it happened to, from whom, and one more number that the kind decides. */
  readonly node: number;
  readonly other: number;
  readonly number: number;
  readonly bytes: Uint8Array | undefined;
  /** Of frames that arrive: when they were sent. Not part of the hash. */
  readonly sentAtMs: number | undefined;
}

/**
 * The hash over all that happened in a run, in order. Two runs of one seed must agree in it; if they do not, something
 * read a clock, drew randomness or raced outside the scheduler.
 */
export class Trace {
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  readonly #listener: ((entry: TraceEntry) => void) | undefined;
  #filled = 0;
  #hash: Hash = ZERO_HASH;

  /** @param listener is shown every entry, for printing */
  constructor(listener?: (entry: TraceEntry) => void) {
    this.#listener = listener;
  }

  add(timeMs: number, kind: TraceKind, node: number, other: number, number: number, bytes?: Uint8Array, sentAtMs?: number): void {
    if (this.#filled + ENTRY_BYTES > BUFFER_BYTES) this.#flush();
    const at = this.#filled;
    this.#view.setFloat64(at, timeMs);
    this.#view.setUint16(at + 8, KIND_CODES[kind]);
    this.#view.setInt16(at + 10, node);
    this.#view.setInt16(at + 12, other);
    this.#view.setFloat64(at + 14, number);
    this.#view.setUint32(at + 22, bytes === undefined ? 0 : sampledChecksum(bytes));
    this.#filled += ENTRY_BYTES;
    this.#listener?.({ timeMs, kind, node, other, number, bytes, sentAtMs });
  }

  /** @returns the hash over all entries so far */
  hash(): Hash {
    this.#flush();
    return this.#hash;
  }

  #flush(): void {
    if (this.#filled === 0) return;
    this.#hash = taggedHash(TAG, this.#hash, this.#buffer.subarray(0, this.#filled));
    this.#filled = 0;
  }
}

/** FNV-1a over the length and a spread sample of the bytes. */
function sampledChecksum(bytes: Uint8Array): number {
  let checksum = 0x811c9dc5 ^ bytes.length;
  const step = Math.max(1, Math.floor(bytes.length / SAMPLED_BYTES));
  for (let i = 0; i < bytes.length; i += step) checksum = Math.imul(checksum ^ (bytes[i] as number), 0x01000193);
  return checksum >>> 0;
}
