import { bytesEqual, fail, ok, type Refusal, type Result } from '@nacre/base';
import type { Checkpoint } from './checkpoint.ts';
import type { Genesis } from './genesis.ts';

/**
 * How long the signers of a past committee are trusted to sign no other history. Later, validators may have left, and their keys been sold or
 * stolen, and a quorum of old keys can make a chain that looks like the true one to everybody who was not there (a long-range attack).
 */
export interface TrustPeriod {
  /** Of the checkpoint: if it is older, only somebody whom one trusts can say where the chain is. In ms. */
  readonly periodMs: number;
  /** The clock of whoever asks, ms since 1970. */
  readonly nowMs: number;
}

/** A header that is further ahead of the asker's clock is refused, in ms: its checkpoint would be trusted for longer than the period. */
const CLOCK_DRIFT_MS_MAX = 60_000;

/** Whether one may go on from a checkpoint. @returns codes `CHECKPOINT_NETWORK`, `CHECKPOINT_EXPIRED` */
export function checkTrusted(checkpoint: Checkpoint, genesis: Genesis, trust: TrustPeriod | undefined): Result<void, Refusal> {
  const { height, timeMs } = checkpoint;
  if (!bytesEqual(checkpoint.genesisHash, genesis.hash)) return fail({ code: 'CHECKPOINT_NETWORK', height });
  if (trust === undefined || trust.nowMs - timeMs <= trust.periodMs) return ok(undefined);
  return fail({ code: 'CHECKPOINT_EXPIRED', height, timeMs, ageMs: trust.nowMs - timeMs, trustPeriodMs: trust.periodMs });
}

/** @param timeMs of the newest header that was verified. @returns code `PROOF_FROM_FUTURE` */
export function checkNotAhead(timeMs: number, trust: TrustPeriod | undefined): Result<void, Refusal> {
  if (trust === undefined || timeMs - trust.nowMs <= CLOCK_DRIFT_MS_MAX) return ok(undefined);
  return fail({ code: 'PROOF_FROM_FUTURE', timeMs, aheadMs: timeMs - trust.nowMs, aheadMsMax: CLOCK_DRIFT_MS_MAX });
}
