import { toHex, type Verifier } from '@nacre/base';
import { type Genesis, verifyProof } from '@nacre/ledger';
import type { ChainChecker } from './chain-checker.ts';
import type { ClusterReplica } from './cluster-replica.ts';
import type { Report } from './violation.ts';

/** Proofs asked for of each service: they cost several times what a record costs. */
const KEYS: readonly string[] = ['alpha', 'no such key'];

interface Dependencies {
  readonly genesis: Genesis;
  readonly verifier: Verifier;
  readonly chain: ChainChecker;
  readonly report: Report;
}

/** Each replica proves what it shows, to someone who holds nothing but the genesis, at a block that is the one decided at its height. */
export async function checkProofs(replica: ClusterReplica, services: readonly string[], dependencies: Dependencies): Promise<void> {
  const { genesis, verifier, chain, report } = dependencies;
  for (const service of services) {
    for (const key of KEYS) {
      const proof = await replica.ledger.prove({ service, key });
      if (!proof.ok) continue;
      const proven = await verifyProof(genesis, proof.value, verifier);
      if (!proven.ok) {
        report('PROOF', `a proof about ${service} does not hold: ${JSON.stringify(proven.error)}`);
        continue;
      }
      const { asOf, blockHash, kind } = proven.value;
      // Of a block that was decided while this was proven, the checker of chains is told a moment later.
      const { tip } = replica.ledger;
      const decided = chain.hashOf(asOf.height) ?? (tip.height === asOf.height ? toHex(tip.blockHash) : undefined);
      if (decided !== toHex(blockHash)) report('PROOF', `a proof about ${service} is as of another block than ${asOf.height}`);
      if (kind === 'latest' && key !== KEYS[0]) report('PROOF', `a proof shows a record of ${service} under a key that was never used`);
    }
  }
}
