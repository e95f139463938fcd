import { type Address, fail, ok, type Refusal, type Result } from '@nacre/base';
import type { Committee } from '@nacre/consensus';
import type { Overlay } from './overlay.ts';
import type { ChainParameters } from './parameters.ts';
import { SPONSORSHIP, type Sponsorship } from './state-kinds.ts';

const UNUSED: Sponsorship = { accounts: 0, services: 0, windowStartMs: 0, bytesUsed: 0 };

/** What a sponsor has used, in the window of the block's time. */
export function sponsorshipAt(
  overlay: Overlay,
  sponsor: Address,
  when: { readonly timeMs: number; readonly quotaWindowMs: number },
): Sponsorship {
  const stored = overlay.get(SPONSORSHIP, sponsor) ?? UNUSED;
  // Windows begin at multiples of their length, so that they are the same for everyone and need no memory of idle sponsors.
  const windowStartMs = when.timeMs - (when.timeMs % when.quotaWindowMs);
  return stored.windowStartMs === windowStartMs ? stored : { ...stored, windowStartMs, bytesUsed: 0 };
}

/**
 * Bytes that a sponsor's accounts may use in one window: its weight's share of the network's, rounded down.
 * A sponsor that is no longer in the committee has none, so what it sponsored waits for a new sponsor.
 */
function bytesShare(committee: Committee, sponsor: Address, parameters: Pick<ChainParameters, 'quotaBytesPerWindow'>): number {
  const index = committee.indexOf(sponsor);
  if (index === null) return 0;
  // Weights reach 2^50 and the quota 2^50: their product needs big integers.
  const share = (BigInt(parameters.quotaBytesPerWindow) * BigInt(committee.weight(index))) / BigInt(committee.totalWeight);
  return Number(share);
}

/** Counts a transaction's bytes on its sponsor's quota. @returns `QUOTA_EXCEEDED`, and then nothing was counted */
export function useBytes(
  overlay: Overlay,
  use: { readonly sponsor: Address; readonly bytes: number; readonly timeMs: number },
  context: { readonly committee: Committee; readonly parameters: ChainParameters },
): Result<void, Refusal> {
  const { quotaWindowMs } = context.parameters;
  const used = sponsorshipAt(overlay, use.sponsor, { timeMs: use.timeMs, quotaWindowMs });
  const share = bytesShare(context.committee, use.sponsor, context.parameters);
  if (used.bytesUsed + use.bytes > share) {
    return fail({ code: 'QUOTA_EXCEEDED', share, used: used.bytesUsed, bytes: use.bytes, windowEndMs: used.windowStartMs + quotaWindowMs });
  }
  overlay.set(SPONSORSHIP, use.sponsor, { ...used, bytesUsed: used.bytesUsed + use.bytes });
  return ok(undefined);
}
