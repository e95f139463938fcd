/**
 * A process that has nothing but a genesis file and proofs: `node test/verify-proof-child.ts GENESIS PROOF...`.
 *
 * Prints one JSON object: what each proof shows or why it is refused, and how many of its bytes can be changed (one bit each)
 * without its being refused.
 */
import { readFileSync } from 'node:fs';
import { assert } from '@nacre/base';
import { createCachingVerifier } from '@nacre/crypto';
import { nativeVerifier } from '@nacre/crypto/native';
import { parseGenesis, verifyProof } from '@nacre/ledger';

/** Verifications under way at once: enough to keep the runtime's threads busy. */
const CONCURRENCY = 16;
const CACHED_SIGNATURES = 64;

const [genesisPath = '', ...proofPaths] = process.argv.slice(2);
const genesis = parseGenesis(readFileSync(genesisPath, 'utf8'));
assert(genesis.ok, 'the genesis file is readable');
const network = genesis.value;
// Remembers what is valid: most changes leave the signatures as they were.
const verifier = createCachingVerifier(nativeVerifier(network.scheme), { entriesMax: CACHED_SIGNATURES });

const results = [];
for (const path of proofPaths) {
  const proof = new Uint8Array(readFileSync(path));
  const verified = await verifyProof(network, proof, verifier);
  results.push({
    bytes: proof.length,
    shows: verified.ok ? verified.value.kind : null,
    refusal: verified.ok ? null : verified.error.code,
    ...(verified.ok ? await flipEveryByte(proof) : {}),
  });
}
console.log(JSON.stringify(results));

async function flipEveryByte(proof: Uint8Array): Promise<{ readonly flips: number; readonly accepted: number[] }> {
  const accepted: number[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < proof.length; index = next++) {
      const changed = proof.slice();
      changed[index] = (changed[index] as number) ^ (1 << (index % 8));
      if ((await verifyProof(network, changed, verifier)).ok) accepted.push(index);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return { flips: next - CONCURRENCY, accepted };
}
