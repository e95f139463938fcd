import { type Address, toHex } from '@nacre/base';
import { type Ledger, type Operation, POSSESSION_CONTEXT, possessionMessage } from '@nacre/ledger';
import type { Cluster, KeyHolder } from './cluster.ts';
import type { SeededRandom } from './random.ts';

/** Share of what validators do about open proposals, rather than to open another. */
const APPROVE_CHANCE = 0.8;
const WEIGHT: readonly [number, number] = [300, 1_500];
/** Fewer validators are not left by a change. */
const MEMBERS_MIN = 4;

interface Drawn {
  readonly account: KeyHolder;
  readonly operation: Operation;
}

type Where = Pick<Cluster, 'validators' | 'candidates' | 'genesis'>;

/** What a validator does about the validator set: it approves what is proposed, or proposes. Null if there is nothing that makes sense. */
export function drawChange(
  ledger: Pick<Ledger, 'validatorSet' | 'committeeAt' | 'tip'>,
  cluster: Where,
  random: SeededRandom,
): Drawn | null {
  const keys = new Map([...cluster.validators, ...cluster.candidates].map((key) => [toHex(key.address), key]));
  const committee = ledger.committeeAt(ledger.tip.height + 1).validators;
  const holders = committee.flatMap(({ address }) => keys.get(toHex(address)) ?? []);
  const open = ledger.validatorSet.proposals().filter(({ proposal }) => proposal.approved === null);
  if (open.length > 0 && random.chance(APPROVE_CHANCE)) {
    const { id, proposal } = random.pick(open);
    const missing = holders.filter(({ address }) => !proposal.approvals.some((approval) => toHex(approval) === toHex(address)));
    if (missing.length > 0) return { account: random.pick(missing), operation: { kind: 'proposal.approve', id } };
  }
  const operation = drawProposal(ledger, cluster, random);
  return operation === null ? null : { account: random.pick(holders), operation };
}

function drawProposal({ validatorSet }: Pick<Ledger, 'validatorSet'>, cluster: Where, random: SeededRandom): Operation | null {
  const { members } = validatorSet.registry;
  const serving = members.filter(({ weight }) => weight > 0);
  const held = members.filter(({ held }) => held !== null);
  const newcomers = cluster.candidates.filter(({ address }) => !serving.some((member) => toHex(member.address) === toHex(address)));
  const kinds = ['weight', 'parameter'];
  if (newcomers.length > 0) kinds.push('join', 'join', 'join');
  if (serving.length > MEMBERS_MIN) kinds.push('leave');
  if (held.length > 0) kinds.push('rehabilitate');
  switch (random.pick(kinds)) {
    case 'join': {
      const { address, signer, signNow } = random.pick(newcomers);
      const proofOfPossession = signNow(possessionMessage(cluster.genesis.context, address, 'join'), POSSESSION_CONTEXT);
      return { kind: 'validator.join', address, publicKey: signer.publicKey, weight: drawWeight(random), proofOfPossession };
    }
    case 'leave':
      return { kind: 'validator.leave', address: random.pick(serving).address };
    case 'rehabilitate':
      return { kind: 'validator.rehabilitate', address: random.pick(held).address };
    case 'parameter':
      return { kind: 'parameters.change', name: 'epochBlocksMin', value: 2 + random.int(5) };
    default:
      return drawReweighing(random.pick(serving), random);
  }
}

/** Never to what was decided before: who watches the weights then knows which of two moves in one block was decided. */
function drawReweighing(
  { address, baseWeight }: { readonly address: Address; readonly baseWeight: number },
  random: SeededRandom,
): Operation {
  const weight = drawWeight(random);
  return { kind: 'validator.weight', address, weight: weight === baseWeight ? weight + 1 : weight };
}

function drawWeight(random: SeededRandom): number {
  return Math.round(random.between(...WEIGHT));
}
