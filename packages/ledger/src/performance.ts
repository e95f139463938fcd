import { assert, toHex } from '@nacre/base';
import type { Committee } from '@nacre/consensus';
import { hasLeft, servingMembers } from './registry.ts';
import type { Member, Performance, Registry } from './set-kinds.ts';
import { bringsThird, checkContinuity } from './set-limits.ts';
import type { Participation } from './state-kinds.ts';

/** Share of the base weight by which one epoch moves a weight, and of the total by which it moves all of them together; least share left. */
const STEP_DIVISOR = 4;
const CAP_DIVISOR = 20;
const FLOOR_DIVISOR = 10;

/**
 * How each validator did in an epoch. Heights that a late commit could still have been credited for are left out for everyone, so that nobody
 * is judged by a commit that was on its way.
 */
export function performancesOf(participation: Participation, committee: Committee): ReadonlyMap<string, Performance> {
  const { epoch, recent } = participation;
  const heights = participation.heights - recent.length;
  const performances = new Map<string, Performance>();
  for (const [index, { address }] of committee.validators.entries()) {
    const open = recent.filter(({ validators }) => validators.includes(index)).length;
    const commits = (participation.commits[index] as number) - open;
    const proposals = participation.proposals[index] as number;
    const passed = participation.passed[index] as number;
    performances.set(toHex(address), { epoch, heights, commits, proposals, passed });
  }
  return performances;
}

/**
 * Moves weights at the end of an epoch: below half of its heights signed, a weight falls by a quarter of what was decided, to a tenth of that at
 * least; otherwise it rises by as much, back to what was decided. All moves together are at most a twentieth of the total weight: beyond,
 * each is scaled down alike. Whoever was not in the committee, or is held for an offence, keeps its weight.
 *
 * No move brings anyone to a third of the weight or takes more than a third away from those who serve already; rather, none is made.
 *
 * @param limits `scheduled`: the committee of the epoch before the weights act
 */
export function moveWeights(
  registry: Registry,
  performances: ReadonlyMap<string, Performance>,
  limits: { readonly scheduled: Committee; readonly allowLargeWeights: boolean },
): Registry {
  const wanted = registry.members.map((member) => wantedMove(member, performances.get(toHex(member.address))));
  const before = servingMembers(registry);
  const cap = Math.floor(before.reduce((sum, { weight }) => sum + weight, 0) / CAP_DIVISOR);
  const sum = wanted.reduce((total, move) => total + Math.abs(move), 0);
  if (sum === 0) return registry;
  const members = registry.members.map((member, index) => {
    const move = wanted[index] as number;
    return move === 0 ? member : { ...member, weight: member.weight + (sum <= cap ? move : scaled(move, { cap, sum })) };
  });
  const moved = { ...registry, members };
  const after = servingMembers(moved);
  if (!limits.allowLargeWeights && bringsThird(before, after)) return registry;
  // What a decision has already brought to the border of continuity stays as it was decided.
  return checkContinuity(limits.scheduled.validators, after).ok ? moved : registry;
}

function wantedMove(member: Member, performance: Performance | undefined): number {
  if (performance === undefined || performance.heights === 0 || member.held !== null || hasLeft(member)) return 0;
  const { weight, baseWeight } = member;
  const step = Math.ceil(baseWeight / STEP_DIVISOR);
  if (2 * performance.commits >= performance.heights) return Math.min(weight + step, baseWeight) - weight;
  const least = Math.ceil(baseWeight / FLOOR_DIVISOR);
  return Math.max(weight - step, least) - weight;
}

/** Rounded towards zero, so that the cap holds. */
function scaled(move: number, { cap, sum }: { readonly cap: number; readonly sum: number }): number {
  const magnitude = Number((BigInt(Math.abs(move)) * BigInt(cap)) / BigInt(sum));
  assert(magnitude <= Math.abs(move), 'scaling makes a move smaller');
  return Math.sign(move) * magnitude;
}
