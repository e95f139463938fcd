import { fail, ok, type Refusal, type Result, type Verifier } from '@nacre/base';
import { type CertifiedHeader, type HeaderVerification, verifyCertifiedHeader } from './certified-header.ts';
import type { Checkpoint } from './checkpoint.ts';
import { followLink } from './epoch-link.ts';
import type { Genesis } from './genesis.ts';
import { changesCommittee } from './header.ts';
import { lightUpdateCodec } from './light-update.ts';
import { checkNotAhead, checkTrusted, type TrustPeriod } from './trust-period.ts';

/**
 * The light client: takes a checkpoint along what a node sent, which need not be trusted. Each committee vouches for the next with a quorum.
 *
 * Sound unless validators of more than 2/3 of the weight of one of these committees sign another history, now or later with keys that leaked;
 * a trust period bounds how much later.
 *
 * @param bytes a light update
 * @returns the new checkpoint; the same one if the update is empty. Codes `MALFORMED`, `PROOF_FROM_FUTURE`, `PROOF_LINK`, and those of
 * `checkTrusted` and `verifyCertifiedHeader`
 */
export async function advanceCheckpoint(
  checkpoint: Checkpoint,
  bytes: Uint8Array,
  options: { readonly genesis: Genesis; readonly verifier: Verifier; readonly trustPeriod?: TrustPeriod },
): Promise<Result<Checkpoint, Refusal>> {
  const { genesis, verifier, trustPeriod } = options;
  const verification = { context: genesis.context, verifier };
  const trusted = checkTrusted(checkpoint, genesis, trustPeriod);
  if (!trusted.ok) return trusted;
  const decoded = lightUpdateCodec.decode(bytes);
  if (!decoded.ok) return decoded;
  const { links, head } = decoded.value;
  let reached = checkpoint;
  for (const link of links) {
    const followed = await followLink(link, reached, verification);
    if (!followed.ok) return followed;
    reached = followed.value;
  }
  const advanced = head === null ? ok(reached) : await advanceTo(head, reached, verification);
  if (!advanced.ok) return advanced;
  const ahead = checkNotAhead(advanced.value.timeMs, trustPeriod);
  return ahead.ok ? advanced : ahead;
}

async function advanceTo(
  head: CertifiedHeader,
  checkpoint: Checkpoint,
  verification: HeaderVerification,
): Promise<Result<Checkpoint, Refusal>> {
  const verified = await verifyCertifiedHeader(head, checkpoint, verification);
  if (!verified.ok) return verified;
  const moved = movedCheckpoint(head, verified.value, checkpoint);
  return moved === null
    ? fail({ code: 'PROOF_LINK', height: head.header.height, problem: 'the committee changes, and the next one is not there' })
    : ok(moved);
}

/** A checkpoint at a header that its committee has decided; null if another committee decides the next height, whose keys are not known. */
export function movedCheckpoint({ header }: CertifiedHeader, blockHash: Uint8Array, checkpoint: Checkpoint): Checkpoint | null {
  const { height, timeMs, epoch } = header;
  return changesCommittee(header) ? null : { ...checkpoint, height, timeMs, epoch, blockHash };
}
