import type { Committee } from '@nacre/consensus';
import type { Member, Registry } from './set-kinds.ts';

/**
 * What follows from the offences proven since the last epoch ended: in the order of their proof, offenders are quarantined while less than a
 * third of the scheduled weight goes in all, and the others serve on, marked, until something is decided about them. More could leave too few
 * to decide anything, and then nothing could be decided about it either.
 *
 * @param epoch from which on it holds
 */
export function judgeOffenders(
  registry: Registry,
  { scheduled, epoch }: { readonly scheduled: Committee; readonly epoch: number },
): Registry {
  const pending = registry.members
    .filter(({ held }) => held?.verdict === 'pending')
    .sort((a, b) => (a.held?.offence ?? 0) - (b.held?.offence ?? 0));
  let removed = 0;
  const judged = new Map<Member, Member>();
  for (const member of pending) {
    const index = scheduled.indexOf(member.address);
    const weight = index === null ? 0 : scheduled.weight(index);
    const goes = 3 * (removed + weight) < scheduled.totalWeight;
    if (goes) removed += weight;
    judged.set(member, { ...member, held: { offence: member.held?.offence ?? 0, verdict: goes ? 'quarantined' : 'serving', epoch } });
  }
  if (judged.size === 0) return registry;
  return { ...registry, members: registry.members.map((member) => judged.get(member) ?? member) };
}
