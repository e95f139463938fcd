import { bytesEqual } from '@nacre/base';
import {
  advanceCheckpoint,
  type Checkpoint,
  type Genesis,
  genesisCheckpoint,
  LIGHT_UPDATE_BYTES_MAX,
  type ProofTrust,
  type Proven,
  parseCheckpoint,
} from '@nacre/ledger';
import { fromBase64 } from './base64.ts';
import { NacreClientError } from './client-error.ts';
import { TRUST_PERIOD_MS } from './client-limits.ts';
import { type ProofQuestion, refusedProof, sharedVerifier, verifyRecordProof } from './verify-record-proof.ts';

/** Characters of base64 at most. */
const UPDATE_CHARACTERS_MAX = 4 * Math.ceil(LIGHT_UPDATE_BYTES_MAX / 3);

/** What a client trusts beside the genesis, and for how long. */
export interface LightOptions {
  /** Where the chain is known to have been: a checkpoint, or the text of its file. By default the genesis. */
  readonly checkpoint?: Checkpoint | string;
  /**
   * How old the checkpoint may be, in ms, before only somebody whom one trusts can give a new one. By default 14 days where a
   * checkpoint is given, and for ever where there is only the genesis.
   */
  readonly trustPeriodMs?: number;
}

/**
 * Reads the text of a checkpoint's file.
 *
 * @throws {NacreClientError} `CHECKPOINT_INVALID`
 */
export function readCheckpoint(text: string): Checkpoint {
  const parsed = parseCheckpoint(text);
  if (parsed.ok) return parsed.value;
  throw new NacreClientError('CHECKPOINT_INVALID', `not a checkpoint: ${String(parsed.error.problem)}`, {
    fields: { refusal: parsed.error },
    hint: 'Give the text of a file that `nacre checkpoint` or formatCheckpoint made: not its path, and not the parsed JSON.',
  });
}

/** What a client has verified of the chain so far. It moves forward with every proof and update that holds, and never back. */
export class LightClient {
  readonly #genesis: Genesis;
  readonly #trustPeriodMs: number | undefined;
  #checkpoint: Checkpoint;

  /** @throws {NacreClientError} `CHECKPOINT_INVALID` */
  constructor(genesis: Genesis, { checkpoint, trustPeriodMs }: LightOptions) {
    this.#genesis = genesis;
    this.#checkpoint = typeof checkpoint === 'string' ? readCheckpoint(checkpoint) : (checkpoint ?? genesisCheckpoint(genesis));
    if (!bytesEqual(this.#checkpoint.genesisHash, genesis.hash)) throw refusedProof({ code: 'CHECKPOINT_NETWORK' });
    this.#trustPeriodMs = trustPeriodMs ?? (checkpoint === undefined ? undefined : TRUST_PERIOD_MS);
  }

  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  /**
   * Verifies a proof from a checkpoint that this client had, and goes on from what it shows.
   *
   * @throws {NacreClientError} `PROOF_INVALID`, `PROOF_MISMATCH`, `CHECKPOINT_EXPIRED`, `CHECKPOINT_INVALID`
   */
  async verify(proof: string, question: ProofQuestion, from: Checkpoint): Promise<Proven> {
    const proven = await verifyRecordProof(this.#genesis, proof, question, { checkpoint: from, ...this.#trustPeriod() });
    this.#moveTo(proven.checkpoint);
    return proven;
  }

  /**
   * Goes on by an update from a checkpoint that this client had.
   *
   * @param update base64
   * @throws {NacreClientError} as `verify`
   */
  async advance(update: string, from: Checkpoint): Promise<void> {
    const bytes = update.length > UPDATE_CHARACTERS_MAX ? undefined : fromBase64(update);
    if (bytes === undefined) throw refusedProof({ code: 'MALFORMED', problem: 'not base64, or too long' });
    const verifier = sharedVerifier(this.#genesis.scheme);
    const advanced = await advanceCheckpoint(from, bytes, { genesis: this.#genesis, verifier, ...this.#trustPeriod() });
    if (!advanced.ok) throw refusedProof(advanced.error);
    this.#moveTo(advanced.value);
  }

  #trustPeriod(): Pick<ProofTrust, 'trustPeriod'> {
    const periodMs = this.#trustPeriodMs;
    return periodMs === undefined ? {} : { trustPeriod: { periodMs, nowMs: Date.now() } };
  }

  /** Calls overlap, and what an earlier one was answered may come later. */
  #moveTo(checkpoint: Checkpoint): void {
    if (checkpoint.height > this.#checkpoint.height) this.#checkpoint = checkpoint;
  }
}
