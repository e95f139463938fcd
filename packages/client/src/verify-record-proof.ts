import type { Refusal, Verifier } from '@nacre/base';
import { createCachingVerifier, type SignatureScheme } from '@nacre/crypto';
import { type Genesis, PROOF_BYTES_MAX, type ProofTrust, type Proven, verifyProof } from '@nacre/ledger';
import { createVerifier } from '#engine';
import { fromBase64 } from './base64.ts';
import { NacreClientError } from './client-error.ts';
import { VERIFIED_SIGNATURES_MAX } from './client-limits.ts';
import { checkGenesis } from './read-genesis.ts';

/** What a proof is to answer: the record at an index of a service's log, or the latest under a key. */
export type ProofQuestion = { readonly service: string; readonly index: number } | { readonly service: string; readonly key: string };

/** Characters of base64 at most. */
const PROOF_CHARACTERS_MAX = 4 * Math.ceil(PROOF_BYTES_MAX / 3);

const verifiers = new Map<SignatureScheme, Verifier>();

/** One for each of the three schemes: proofs of one block carry the same certificate. */
export function sharedVerifier(scheme: SignatureScheme): Verifier {
  let verifier = verifiers.get(scheme);
  if (verifier === undefined) {
    verifier = createCachingVerifier(createVerifier(scheme), { entriesMax: VERIFIED_SIGNATURES_MAX });
    verifiers.set(scheme, verifier);
  }
  return verifier;
}

/**
 * Verifies a proof as a node sent it and compares what it shows with what was asked. Needs no network.
 *
 * What it shows held at the height and time in `asOf`. That is sound unless validators of more than 2/3 of the weight have signed
 * another history; it does not say that nothing came after. The signatures on which old changes of the validators rest are made with keys that may
 * have been lost since: a checkpoint and a trust period rule out what is signed with them now.
 *
 * @param proof base64, or the bytes
 * @param trust what is trusted beside the genesis
 * @returns for an index `included`; for a key `latest`, or `absent` if the service has no record under it
 * @throws {NacreClientError} `PROOF_INVALID`, `CHECKPOINT_EXPIRED`, `CHECKPOINT_INVALID`, or `PROOF_MISMATCH` where it holds but answers
 * another question
 */
export async function verifyRecordProof(
  genesis: Genesis,
  proof: string | Uint8Array,
  question: ProofQuestion,
  trust: ProofTrust = {},
): Promise<Proven> {
  const { scheme } = checkGenesis(genesis);
  const verified = await verifyProof(genesis, proofBytes(proof), sharedVerifier(scheme), trust);
  if (!verified.ok) throw refusedProof(verified.error);
  const proven = verified.value;
  if (answers(proven, question)) return proven;
  throw new NacreClientError('PROOF_MISMATCH', 'the proof holds, but answers another question', {
    fields: { question, kind: proven.kind, service: proven.service },
    hint: 'Ask another node; this one errs or lies.',
  });
}

function answers(proven: Proven, question: ProofQuestion): boolean {
  if (proven.service !== question.service) return false;
  if ('index' in question) return proven.kind === 'included' && proven.record.index === question.index;
  return proven.kind !== 'included' && proven.key === question.key;
}

function proofBytes(proof: string | Uint8Array): Uint8Array {
  if (typeof proof !== 'string') return proof;
  const bytes = proof.length > PROOF_CHARACTERS_MAX ? undefined : fromBase64(proof);
  if (bytes === undefined) throw refusedProof({ code: 'MALFORMED', problem: 'not base64, or too long' });
  return bytes;
}

/** Why what a node sent is not believed. */
export function refusedProof(refusal: Refusal): NacreClientError {
  const fields = { refusal };
  switch (refusal.code) {
    case 'PROOF_NETWORK':
      return new NacreClientError('PROOF_INVALID', 'the proof is of another network than this genesis', {
        fields,
        hint: 'Take the genesis of the network that the proof comes from, from somebody you trust.',
      });
    case 'PROOF_BEFORE_CHECKPOINT':
      return new NacreClientError('PROOF_INVALID', 'the proof is older than the checkpoint', {
        fields,
        hint: 'Ask a node for the proof again: it proves the same record as of a later block.',
      });
    case 'CHECKPOINT_NETWORK':
      return new NacreClientError('CHECKPOINT_INVALID', 'the checkpoint is of another network than this genesis', {
        fields,
        hint: 'Give the checkpoint and the genesis of one network.',
      });
    case 'CHECKPOINT_EXPIRED':
      return new NacreClientError('CHECKPOINT_EXPIRED', 'the checkpoint is older than the trust period', {
        fields,
        hint: 'Get a newer one from somebody you trust, or compare what `nacre checkpoint` reaches from the genesis with what they have.',
      });
    default:
      return new NacreClientError('PROOF_INVALID', `the proof does not hold: ${refusal.code}`, {
        fields,
        hint: 'Whoever sent it errs or lies: ask another node.',
      });
  }
}
