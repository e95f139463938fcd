import { bytesEqual } from '@nacre/base';
import { type Equivocation, equivocationOf, VOTE_CONTEXT, type Vote, voteMessage } from '@nacre/consensus';
import type { Cluster } from './cluster.ts';
import type { ClusterReplica } from './cluster-replica.ts';
import type { SeededRandom } from './random.ts';

/** Rounds that no run comes to: a place for each offence that nobody else reports. */
const ROUNDS: readonly [number, number] = [500, 60_000];
/** Share of proofs of what was signed with a key before the present one, if there is such a height. */
const OLD_KEY_CHANCE = 0.7;
/** Heights that are looked through for one. */
const HEIGHTS_MAX = 400;

export interface Offence {
  readonly equivocation: Equivocation;
  /** Whether the offender's account has another key by now. */
  readonly isOld: boolean;
}

/**
 * Two votes of a Byzantine validator at one place of the past, made with the key that it had there: once it has that key, it can sign whatever it
 * likes about any height, at any time. Null if none of them was in a committee.
 */
export function drawOffence(ledger: ClusterReplica['ledger'], cluster: Cluster, random: SeededRandom): Offence | null {
  const { byzantine, nodes, genesis } = cluster;
  const offender = random.pick(nodes.filter(({ index }) => byzantine.has(index))).validator;
  if (offender === null) return null;
  const present = ledger.account(offender.address)?.publicKey;
  const { height: tip } = ledger.tip;
  const places: { readonly height: number; readonly validator: number; readonly publicKey: Uint8Array; readonly isOld: boolean }[] = [];
  for (let height = tip; height > Math.max(0, tip - HEIGHTS_MAX); height--) {
    const { committee } = ledger.epochOf(height) ?? genesis;
    const validator = committee.indexOf(offender.address);
    if (validator === null) continue;
    const { publicKey } = committee.validator(validator);
    places.push({ height, validator, publicKey, isOld: present !== undefined && !bytesEqual(publicKey, present) });
  }
  const old = places.filter(({ isOld }) => isOld);
  const choice = old.length > 0 && random.chance(OLD_KEY_CHANCE) ? old : places;
  if (choice.length === 0) return null;
  const { height, validator, publicKey, isOld } = random.pick(choice);
  const round = ROUNDS[0] + random.int(ROUNDS[1] - ROUNDS[0]);
  const { signNow } = offender.keyOf(publicKey);
  const vote = (blockHash: Vote['blockHash']): Vote => {
    const content = { height, round, kind: 'prepare', blockHash } as const;
    return { ...content, validator, signature: signNow(voteMessage(genesis.context, content), VOTE_CONTEXT) };
  };
  const equivocation = equivocationOf(vote(null), vote(random.bytes(genesis.hash.length)));
  return equivocation === null ? null : { equivocation, isOld };
}
