import { bytesEqual, fail, type Hash, ok, type Refusal, type Result, type Verifier } from '@nacre/base';
import { isMinimal, verifyCertificate } from '@nacre/consensus';
import { leafHash, type StateProof, verifyInclusion, verifyStateProof } from '@nacre/crypto';
import type { Genesis } from './genesis.ts';
import { blockHash } from './header.ts';
import { isName } from './names.ts';
import { type Proof, type ProofClaim, proofCodec } from './proof.ts';
import { recordCodec, type ServiceRecord } from './record.ts';
import { LATEST_RECORD, RECORD_LOG, type StateKind, stateValueHash } from './state-kinds.ts';

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
};

/**
 * Verifies a proof with nothing but the network's genesis. Whoever asked for something compares service, key and index with what was asked.
 *
 * Sound unless validators of more than 2/3 of the weight sign another history, now or later with keys that leaked; against that, compare
 * the block with one known to be in the chain.
 *
 * @returns codes `MALFORMED`, `PROOF_NETWORK`, `PROOF_COMMITTEE`, `PROOF_CLAIM`, `PROOF_CERTIFICATE`, and those of `verifyCertificate`
 */
export async function verifyProof(genesis: Genesis, bytes: Uint8Array, verifier: Verifier): Promise<Result<Proven, Refusal>> {
  const decoded = proofCodec.decode(bytes);
  if (!decoded.ok) return decoded;
  const { claim, header, certificate } = decoded.value;
  const { committee, context } = genesis;
  if (!bytesEqual(header.genesisHash, genesis.hash) || header.chain !== context.chain) return fail({ code: 'PROOF_NETWORK' });
  if (!bytesEqual(header.committeeHash, committee.hash)) return fail({ code: 'PROOF_COMMITTEE', height: header.height });
  const proven = checkClaim(claim, header.stateRoot);
  if (proven === null) return fail({ code: 'PROOF_CLAIM', kind: claim.kind });
  const hash = blockHash(header);
  const checked = checkPlace(decoded.value, hash);
  if (!checked.ok) return checked;
  const verified = await verifyCertificate({ committee, context, certificate, verifier });
  if (!verified.ok) return verified;
  // One more signer than decides would be a byte that can change and still verify: by leaving it out.
  if (!isMinimal(committee, certificate)) return fail({ code: 'PROOF_CERTIFICATE', problem: 'a signer that is not needed' });
  return ok({ ...proven, asOf: { height: header.height, timeMs: header.timeMs }, blockHash: hash });
}

function checkPlace({ header, certificate }: Proof, hash: Hash): Result<void, Refusal> {
  const same = certificate.height === header.height && bytesEqual(certificate.blockHash, hash);
  return same ? ok(undefined) : fail({ code: 'PROOF_CERTIFICATE', problem: 'for another block' });
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
