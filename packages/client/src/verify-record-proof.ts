import type { Verifier } from '@nacre/base';
import { createCachingVerifier, type SignatureScheme } from '@nacre/crypto';
import { type Genesis, PROOF_BYTES_MAX, type Proven, verifyProof } from '@nacre/ledger';
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
function sharedVerifier(scheme: SignatureScheme): Verifier {
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
 * another history; it does not say that nothing came after.
 *
 * @param proof base64, or the bytes
 * @returns for an index `included`; for a key `latest`, or `absent` if the service has no record under it
 * @throws {NacreClientError} `PROOF_INVALID`, or `PROOF_MISMATCH` where it holds but answers another question
 */
export async function verifyRecordProof(genesis: Genesis, proof: string | Uint8Array, question: ProofQuestion): Promise<Proven> {
  const { scheme } = checkGenesis(genesis);
  const verified = await verifyProof(genesis, proofBytes(proof), sharedVerifier(scheme));
  if (!verified.ok) throw invalidProof(verified.error);
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
  if (bytes === undefined) throw invalidProof({ code: 'MALFORMED', problem: 'not base64, or too long' });
  return bytes;
}

function invalidProof(refusal: Readonly<Record<string, unknown>>): NacreClientError {
  if (refusal.code === 'PROOF_NETWORK') {
    const hint = 'Take the genesis of the network that the proof comes from, from somebody you trust.';
    return new NacreClientError('PROOF_INVALID', 'the proof is of another network than this genesis', { fields: { refusal }, hint });
  }
  return new NacreClientError('PROOF_INVALID', `the proof does not hold: ${String(refusal.code)}`, {
    fields: { refusal },
    hint: 'Whoever sent it errs or lies: ask another node.',
  });
}
