import { bytesEqual, fail, type Hash, ok, type Refusal, type Result, type Verifier } from '@nacre/base';
import { leafHash, type StateProof, verifyInclusion, verifyStateProof } from '@nacre/crypto';
import { movedCheckpoint } from './advance-checkpoint.ts';
import { type HeaderVerification, verifyCertifiedHeader } from './certified-header.ts';
import { type Checkpoint, genesisCheckpoint } from './checkpoint.ts';
import { followLink } from './epoch-link.ts';
import type { Genesis } from './genesis.ts';
import { isName } from './names.ts';
import { type Proof, type ProofClaim, proofCodec } from './proof.ts';
import { recordCodec, type ServiceRecord } from './record.ts';
import { LATEST_RECORD, RECORD_LOG, type StateKind, stateValueHash } from './state-kinds.ts';
import { checkNotAhead, checkTrusted, type TrustPeriod } from './trust-period.ts';

/** What a valid proof shows. */
export type ProvenClaim =
  /** The record stands in the log of its service. */
  | { readonly kind: 'included'; readonly service: string; readonly record: ServiceRecord }
  /** The record is the latest of its service under its key. */
  | { readonly kind: 'latest'; readonly service: string; readonly key: string; readonly record: ServiceRecord }
  /** The service, if there is one of the name, has no record under the key. */
  | { readonly kind: 'absent'; readonly service: string; readonly key: string };

export type Proven = ProvenClaim & {
  /** The decided block after which it holds. */
  readonly asOf: { readonly height: number; readonly timeMs: number };
  readonly blockHash: Hash;
  /** The latest place of the chain that the proof leads to: what one may trust from now on instead of what one trusted before. */
  readonly checkpoint: Checkpoint;
};

/** What the asker trusts beside the genesis. */
export interface ProofTrust {
  /** The proof's block must be no earlier, and must come of this block's committee. */
  readonly checkpoint?: Checkpoint;
  /** Not checked unless it is given. */
  readonly trustPeriod?: TrustPeriod;
}

/**
 * Verifies a proof with nothing but the network's genesis, and with a checkpoint where the asker has one. It may begin at either: if at the genesis, it
 * must come past the checkpoint. Whoever asked for something compares service, key and index with what was asked.
 *
 * Sound unless validators of more than 2/3 of the weight of a past committee sign another history, now or later with keys that leaked; a
 * checkpoint and a trust period bound how much later.
 *
 * @returns codes `MALFORMED`, `PROOF_CLAIM`, `PROOF_BEFORE_CHECKPOINT`, `PROOF_FORK`, `PROOF_FROM_FUTURE`, `PROOF_LINK`, and those of
 * `checkTrusted` and `verifyCertifiedHeader`
 */
export async function verifyProof(
  genesis: Genesis,
  bytes: Uint8Array,
  verifier: Verifier,
  trust: ProofTrust = {},
): Promise<Result<Proven, Refusal>> {
  const decoded = proofCodec.decode(bytes);
  if (!decoded.ok) return decoded;
  const proof = decoded.value;
  const { claim, header } = proof;
  const { height, timeMs } = header;
  const verification = { context: genesis.context, verifier };
  const begin = genesisCheckpoint(genesis);
  const { checkpoint = begin, trustPeriod } = trust;
  const trusted = checkTrusted(checkpoint, genesis, trustPeriod);
  if (!trusted.ok) return trusted;
  const proven = checkClaim(claim, header.stateRoot);
  if (proven === null) return fail({ code: 'PROOF_CLAIM', kind: claim.kind });
  const reached = await followToHeader(proof, { begin, checkpoint }, verification);
  if (!reached.ok) return reached;
  const hash = await verifyCertifiedHeader(proof, reached.value, verification);
  if (!hash.ok) return hash;
  if (height === checkpoint.height && !bytesEqual(hash.value, checkpoint.blockHash)) return fail({ code: 'PROOF_FORK', height });
  const ahead = checkNotAhead(timeMs, trustPeriod);
  if (!ahead.ok) return ahead;
  const next = movedCheckpoint(proof, hash.value, reached.value) ?? reached.value;
  const newest = next.height > checkpoint.height ? next : checkpoint;
  return ok({ ...proven, asOf: { height, timeMs }, blockHash: hash.value, checkpoint: newest });
}

interface ProofPath {
  readonly begin: Checkpoint;
  readonly checkpoint: Checkpoint;
}

/** Follows the links of a proof, from the genesis or the checkpoint, to what decides the proof's block. */
async function followToHeader(
  { links, header }: Proof,
  { begin, checkpoint }: ProofPath,
  verification: HeaderVerification,
): Promise<Result<Checkpoint, Refusal>> {
  if (header.height < checkpoint.height)
    return fail({ code: 'PROOF_BEFORE_CHECKPOINT', height: header.height, trustedHeight: checkpoint.height });
  const { height, committeeHash } = links[0]?.header ?? header;
  const isFromCheckpoint = height >= checkpoint.height && bytesEqual(committeeHash, checkpoint.committee.hash);
  let reached = isFromCheckpoint ? checkpoint : begin;
  for (const link of links) {
    const place = pastCheckpoint(link.header.height, reached, checkpoint);
    if (!place.ok) return place;
    const followed = await followLink(link, place.value, verification);
    if (!followed.ok) return followed;
    reached = followed.value;
  }
  return pastCheckpoint(header.height, reached, checkpoint);
}

/**
 * What leads up to the checkpoint's height is signed with keys that may have been lost since. It must lead to the checkpoint's committee, and
 * from there on the checkpoint is what is trusted.
 */
function pastCheckpoint(nextHeight: number, reached: Checkpoint, checkpoint: Checkpoint): Result<Checkpoint, Refusal> {
  if (reached.height > checkpoint.height || nextHeight <= checkpoint.height) return ok(reached);
  if (bytesEqual(reached.committee.hash, checkpoint.committee.hash)) return ok(checkpoint);
  return fail({ code: 'PROOF_COMMITTEE', height: nextHeight, trustedHeight: checkpoint.height });
}

function checkClaim(claim: ProofClaim, root: Hash): ProvenClaim | null {
  switch (claim.kind) {
    case 'included': {
      const { record, recordCount, logRoot, inclusion, state } = claim;
      const leaf = leafHash(recordCodec.encode(record));
      if (!verifyInclusion({ leafHash: leaf, index: record.index, size: recordCount, proof: inclusion, root: logRoot })) return null;
      const log = { kind: RECORD_LOG, identity: record.service, value: { recordCount, logRoot } };
      return stateHolds(log, { root, state }) ? { kind: 'included', service: record.service, record } : null;
    }
    case 'latest': {
      const { record, state } = claim;
      const { service, key, index } = record;
      const latest = { kind: LATEST_RECORD, identity: { service, key }, value: { index, leafHash: leafHash(recordCodec.encode(record)) } };
      return stateHolds(latest, { root, state }) ? { kind: 'latest', service, key, record } : null;
    }
    case 'absent': {
      const { service, key, state } = claim;
      // Unkeyed records are never under a key, so the absence of the empty one would say nothing.
      if (!isName(service) || key === '') return null;
      const stateKey = LATEST_RECORD.stateKey({ service, key });
      if (!bytesEqual(stateKey, claim.stateKey)) return null;
      return verifyStateProof({ root, key: stateKey, valueHash: null, proof: state }) ? { kind: 'absent', service, key } : null;
    }
  }
}

/** Whether the state under `root` holds the value. */
function stateHolds<Identity, Value>(
  entry: { readonly kind: StateKind<Identity, Value>; readonly identity: Identity; readonly value: Value },
  { root, state }: { readonly root: Hash; readonly state: StateProof },
): boolean {
  const key = entry.kind.stateKey(entry.identity);
  const valueHash = stateValueHash(entry.kind.codec.encode(entry.value));
  return verifyStateProof({ root, key, valueHash, proof: state });
}
