/** A validator of the committee; its id is whatever the caller tells validators apart by. */
export interface Member {
  readonly id: string;
  /** Positive integer, as its votes count. */
  readonly weight: number;
}

/** Validators that reach one another, directly or through others. */
export interface Side {
  /** Ids, in the order of the committee. */
  readonly members: readonly string[];
  /** Sum of theirs, in the unit of the committee's weights. */
  readonly weight: number;
  /** Whether its weight is strictly more than two thirds of the whole, so that it can go on deciding. */
  readonly mayDecide: boolean;
  /** Whether the observer is one of them. */
  readonly own: boolean;
  /**
   * False for those whom nobody reaches that the observer hears. Whether they run, and whether they reach one another, cannot be known on this
   * side of the cut, so they are counted as one side: the strongest that they can be.
   */
  readonly reached: boolean;
}

export interface Reachability {
  readonly members: readonly Member[];
  /** Null for an observer without weight. */
  readonly self: string | null;
  /** Whom the observer hears; itself is not among them. */
  readonly heard: ReadonlySet<string>;
  /** Latest word of each of those about whom it hears. Who has not said anything yet contradicts nobody. */
  readonly claims: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * A group counts as a side from this share of the members on, as a divisor: a tenth. The observer's own always does. Smaller ones are single
 * nodes that have failed in a large network, which is no partition.
 */
const SIDE_SHARE_DIVISOR = 10;

/**
 * Divides a committee into the sides that its members stand on. Two members whom the observer hears are joined unless one of them says that
 * it does not hear the other; one whom it does not hear is joined to each that says it hears it.
 *
 * So a liar can make an absent validator look present, and itself look cut off. It cannot make two others look cut off from each other.
 *
 * @returns the observer's own side first, then the others by weight, the heaviest first; a single one where nobody is cut off
 */
export function sidesOf({ members, self, heard, claims }: Reachability): Side[] {
  const here = new Set(heard);
  if (self !== null) here.add(self);
  const wordOf = (id: string): ReadonlySet<string> | undefined => (id === self ? heard : claims.get(id));
  const joined = (one: string, other: string): boolean => {
    if (!here.has(one)) return here.has(other) && wordOf(other)?.has(one) === true;
    if (!here.has(other)) return wordOf(one)?.has(other) === true;
    return wordOf(one)?.has(other) !== false && wordOf(other)?.has(one) !== false;
  };
  const totalWeight = members.reduce((sum, { weight }) => sum + weight, 0);
  const sides = groups(members, here, joined).map((group): Side => {
    const weight = group.reduce((sum, member) => sum + member.weight, 0);
    const ids = group.map(({ id }) => id);
    return {
      members: ids,
      weight,
      mayDecide: 3 * weight > 2 * totalWeight,
      own: self !== null && ids.includes(self),
      reached: ids.some((id) => here.has(id)),
    };
  });
  return sides
    .filter(({ own, members: { length } }) => own || SIDE_SHARE_DIVISOR * length >= members.length)
    .sort((one, other) => Number(other.own) - Number(one.own) || other.weight - one.weight);
}

/** Connected groups, those that nobody here reaches in one. Each keeps the order of the members. */
function groups(
  members: readonly Member[],
  here: ReadonlySet<string>,
  joined: (one: string, other: string) => boolean,
): readonly (readonly Member[])[] {
  const left = new Set(members);
  const found: Member[][] = [];
  for (const start of members) {
    if (!here.has(start.id) || !left.delete(start)) continue;
    const group = [start];
    // The group grows while it is walked.
    for (const { id } of group) {
      for (const candidate of left) {
        if (!joined(id, candidate.id)) continue;
        left.delete(candidate);
        group.push(candidate);
      }
    }
    found.push(members.filter((member) => group.includes(member)));
  }
  if (left.size > 0) found.push([...left]);
  return found;
}
