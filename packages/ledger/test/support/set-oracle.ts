/** A change, by names: the naive counterpart of `SetChange`. */
export type OracleChange =
  | { readonly kind: 'join'; readonly name: string; readonly weight: number }
  | { readonly kind: 'leave' | 'rehabilitate'; readonly name: string }
  | { readonly kind: 'weight'; readonly name: string; readonly weight: number }
  | { readonly kind: 'parameter'; readonly value: number };

interface OracleMember {
  weight: number;
  base: number;
  offence: number | null;
  verdict: 'pending' | 'quarantined' | 'serving' | null;
  pardonedHeight: number;
}

interface OracleProposal {
  readonly change: OracleChange;
  readonly by: string;
  readonly expiresMs: number;
  approvals: string[];
  actsAt: number | null;
}

type Weights = Map<string, number>;

const sumOf = (weights: Iterable<number>): number => [...weights].reduce((sum, weight) => sum + weight, 0);
const subjectOf = (change: OracleChange): string => ('name' in change ? change.name : 'a parameter');

/**
 * All that the network decides about its validators, in the plainest words: names and maps, everything computed anew at every question.
 * Weights are small, so that no product needs care.
 */
export class SetOracle {
  epoch = 0;
  height = 0;
  committee: Weights;
  scheduled: Weights;
  readonly members = new Map<string, OracleMember>();
  readonly proposals: OracleProposal[] = [];
  parameter = { inForce: 256, scheduled: 256, decided: 256 };
  #offences = new Map<string, number>();
  #signed: string[][] = [];

  constructor(weights: Weights) {
    this.committee = new Map(weights);
    this.scheduled = new Map(weights);
    for (const [name, weight] of weights) this.members.set(name, member(weight));
  }

  /** @returns why it fails, or null */
  propose(
    by: string,
    change: OracleChange,
    at: { readonly timeMs: number; readonly windowMs: number; readonly max: number },
  ): string | null {
    if (!this.committee.has(by)) return 'NOT_A_VALIDATOR';
    const open = this.proposals.filter((one) => one.actsAt === null && at.timeMs <= one.expiresMs);
    for (const one of this.proposals) {
      const same = subjectOf(one.change) === subjectOf(change);
      if (same && one.actsAt !== null && this.epoch < one.actsAt) return 'CHANGE_IN_FLIGHT';
      if (same && open.includes(one) && JSON.stringify(one.change) === JSON.stringify(change)) return 'PROPOSAL_EXISTS';
      if (same && open.includes(one) && one.by === by) return 'PROPOSAL_OPEN';
    }
    if (open.filter((one) => one.by === by).length >= at.max) return 'PROPOSALS_TOO_MANY';
    const refusal = this.#refusal(change);
    if (refusal !== null) return refusal;
    this.proposals.push({ change, by, expiresMs: at.timeMs + at.windowMs, approvals: [], actsAt: null });
    return this.approve(by, this.proposals.length - 1, at.timeMs);
  }

  approve(by: string, index: number, timeMs: number): string | null {
    if (!this.committee.has(by)) return 'NOT_A_VALIDATOR';
    const proposal = this.proposals[index] as OracleProposal;
    if (proposal.actsAt !== null) return 'PROPOSAL_DECIDED';
    if (timeMs > proposal.expiresMs) return 'PROPOSAL_EXPIRED';
    const isNew = !proposal.approvals.includes(by);
    const approvals = [...new Set([...proposal.approvals.filter((name) => this.committee.has(name)), by])];
    if (3 * sumOf(approvals.map((name) => this.committee.get(name) ?? 0)) <= 2 * sumOf(this.committee.values())) {
      if (!isNew) return 'ALREADY_APPROVED';
      proposal.approvals = approvals;
      return null;
    }
    const rival = this.proposals.find(
      (one) => one.actsAt !== null && this.epoch < one.actsAt && subjectOf(one.change) === subjectOf(proposal.change),
    );
    if (rival !== undefined) return 'CHANGE_IN_FLIGHT';
    const refusal = this.#refusal(proposal.change);
    if (refusal !== null) return refusal;
    this.#apply(proposal.change, this.members);
    if (proposal.change.kind === 'parameter') this.parameter.decided = proposal.change.value;
    proposal.approvals = approvals;
    proposal.actsAt = this.epoch + 2;
    return null;
  }

  evidence(
    name: string,
    place: { readonly height: number; readonly epoch: number; readonly id: string },
    evidenceEpochs: number,
  ): string | null {
    if (place.epoch + evidenceEpochs < this.epoch) return 'EVIDENCE_STALE';
    if (this.#offences.has(place.id)) return 'EVIDENCE_KNOWN';
    this.#offences.set(place.id, this.#offences.size);
    const offender = this.members.get(name);
    if (offender !== undefined && offender.verdict === null && place.height > offender.pardonedHeight) {
      Object.assign(offender, { offence: this.#offences.size - 1, verdict: 'pending' });
    }
    return null;
  }

  /** The block is decided; `parent` are those who signed the one before it, if that was of this epoch. @returns whether the epoch ends */
  block(parent: readonly string[] | null, epochBlocks: number, blocksOfEpoch: number): boolean {
    if (parent !== null) this.#signed.push([...parent]);
    if (blocksOfEpoch < epochBlocks) return false;
    this.epoch++;
    judge(this.members, this.scheduled);
    this.committee = new Map([...this.scheduled].filter(([name]) => this.members.get(name)?.verdict !== 'quarantined'));
    this.#movePerformance(this.committeeBefore);
    const following = serving(this.members);
    this.scheduled = following.size === 0 ? new Map(this.committee) : following;
    for (const [name, { weight }] of [...this.members]) if (weight === 0 && !this.committee.has(name)) this.members.delete(name);
    this.parameter = { inForce: this.parameter.scheduled, scheduled: this.parameter.decided, decided: this.parameter.decided };
    this.#signed = [];
    this.committeeBefore = new Set(this.committee.keys());
    return true;
  }

  /** Who served in the epoch that goes on. */
  committeeBefore = new Set<string>();

  #movePerformance(served: ReadonlySet<string>): void {
    const judged = this.#signed.length;
    const moves = new Map<string, number>();
    for (const [name, { weight, base, verdict }] of this.members) {
      if (!served.has(name) || judged === 0 || weight === 0 || verdict !== null) continue;
      const quarter = Math.ceil(base / 4);
      const signed = this.#signed.filter((names) => names.includes(name)).length;
      const wanted = signed < judged / 2 ? Math.max(weight - quarter, Math.ceil(base / 10)) : Math.min(weight + quarter, base);
      moves.set(name, wanted - weight);
    }
    const all = sumOf([...moves.values()].map(Math.abs));
    const cap = Math.floor(sumOf(serving(this.members).values()) / 20);
    const moved = structuredClone(this.members);
    for (const [name, move] of moves) {
      (moved.get(name) as OracleMember).weight += all <= cap ? move : Math.trunc((move * cap) / all);
    }
    const [before, after] = [serving(this.members), serving(moved)];
    if (all === 0 || tooLarge(before, after) || !continuous(this.committee, after)) return;
    for (const [name, { weight }] of moved) (this.members.get(name) as OracleMember).weight = weight;
  }

  #refusal(change: OracleChange): string | null {
    if (change.kind === 'parameter') return change.value === this.parameter.decided ? 'CHANGE_NONE' : null;
    const subject = this.members.get(change.name);
    const isMember = subject !== undefined && subject.weight > 0;
    if (change.kind === 'join' && isMember) return 'VALIDATOR_EXISTS';
    if (change.kind !== 'join' && !isMember) return 'VALIDATOR_UNKNOWN';
    if (change.kind === 'weight' && subject?.weight === change.weight && subject.base === change.weight) return 'CHANGE_NONE';
    if (change.kind === 'rehabilitate' && subject?.verdict === null) return 'VALIDATOR_NOT_HELD';
    const [before, after] = [structuredClone(this.members), structuredClone(this.members)];
    this.#apply(change, after);
    judge(before, this.scheduled);
    judge(after, this.scheduled);
    const set = serving(after);
    if (set.size === 0) return 'SET_EMPTY';
    if (tooLarge(serving(before), set)) return 'SET_THIRD';
    const expected = new Map([...this.scheduled].filter(([name]) => before.get(name)?.verdict !== 'quarantined'));
    return continuous(expected, set) ? null : 'SET_DISCONTINUOUS';
  }

  #apply(change: OracleChange, members: Map<string, OracleMember>): void {
    if (change.kind === 'parameter') return;
    const known = members.get(change.name) ?? member(0);
    members.set(change.name, known);
    if (change.kind === 'join' || change.kind === 'weight') Object.assign(known, { weight: change.weight, base: change.weight });
    if (change.kind === 'leave') Object.assign(known, { weight: 0, base: 0 });
    if (change.kind === 'rehabilitate') Object.assign(known, { offence: null, verdict: null, pardonedHeight: this.height });
  }
}

function member(weight: number): OracleMember {
  return { weight, base: weight, offence: null, verdict: null, pardonedHeight: 0 };
}

function serving(members: ReadonlyMap<string, OracleMember>): Weights {
  const names = [...members].filter(([, { weight, verdict }]) => weight > 0 && verdict !== 'quarantined');
  return new Map(names.map(([name, { weight }]) => [name, weight]));
}

function judge(members: Map<string, OracleMember>, scheduled: Weights): void {
  const pending = [...members].filter(([, { verdict }]) => verdict === 'pending');
  pending.sort(([, a], [, b]) => Number(a.offence) - Number(b.offence));
  let gone = 0;
  for (const [name, offender] of pending) {
    const weight = scheduled.get(name) ?? 0;
    const goes = gone + weight < sumOf(scheduled.values()) / 3;
    offender.verdict = goes ? 'quarantined' : 'serving';
    if (goes) gone += weight;
  }
}

function tooLarge(before: Weights, after: Weights): boolean {
  const share = (weights: Weights): number => Math.max(...weights.values()) / sumOf(weights.values());
  const greatest = Math.max(...after.values());
  if (3 * greatest < sumOf(after.values())) return false;
  return before.size === 0 || share(after) > share(before);
}

function continuous(before: Weights, after: Weights): boolean {
  const staying = sumOf([...after].map(([name, weight]) => Math.min(weight, before.get(name) ?? 0)));
  return 3 * staying > 2 * sumOf(after.values());
}
