import { assert, PARTITIONS_REMEMBERED_MAX } from '@nacre/base';
import { type Member, type Side, sidesOf } from './sides.ts';

export interface DetectorOptions {
  /** Null for an observer without weight. */
  readonly self: string | null;
  /** Of whom nothing was heard for this long, in ms, is not reached. A few intervals of what they say, or every delay splits the network. */
  readonly silenceMs: number;
  /** After a start or a pause of this process nobody is accused for this long, in ms: connections have to be made first. */
  readonly settleMs: number;
}

/** Suits validators that speak every 200 ms: named within a second of the first word that was missed. */
export const LOCAL_DETECTION = { silenceMs: 750, settleMs: 3_000 } as const;

/** One partition, from its detection to its end. */
export interface PartitionRecord {
  /** Wall clock in ms since 1970. */
  readonly sinceMs: number;
  /** Null while it lasts. */
  readonly untilMs: number | null;
  /** As they were last. */
  readonly sides: readonly Side[];
}

export interface PartitionEvent {
  /** `changed`: other sides than before; `merged`: a single one again. */
  readonly kind: 'partitioned' | 'changed' | 'merged';
  readonly atMs: number;
  readonly sides: readonly Side[];
}

/**
 * Tells which validators are cut off from which, from what one process hears and from what the others say that they hear.
 *
 * Time counts only while the observer looks: what passes between two looks beyond half the silence is a pause of this process or a jump of its
 * clock, and accuses nobody.
 *
 * @see Dadgar, Phillips, Currey 2018 (Lifeguard), on whose fault a missed message is: arXiv:1707.00788
 */
export class PartitionDetector {
  readonly #options: DetectorOptions;
  #members: readonly Member[] = [];
  #ids: ReadonlySet<string> = new Set();
  /** When each member was last heard, in time that was looked at. Of members only, so as bounded as the committee. */
  readonly #heardAtMs = new Map<string, number>();
  readonly #claims = new Map<string, ReadonlySet<string>>();
  /** Time that was looked at, in ms. */
  #observedMs = 0;
  #lookedAtMs: number | null = null;
  #settledAtMs: number;
  #sides: readonly Side[] = [];
  readonly #history: PartitionRecord[] = [];

  constructor(options: DetectorOptions) {
    assert(options.silenceMs > 0 && options.settleMs >= 0, 'waits are positive');
    this.#options = options;
    this.#settledAtMs = options.settleMs;
  }

  /** The sides as last detected: one where nobody is cut off, none before the first look. */
  get sides(): readonly Side[] {
    return this.#sides;
  }

  /** Partitions since the start of this process, the oldest first; at most `PARTITIONS_REMEMBERED_MAX`, the latest ones. */
  get history(): readonly PartitionRecord[] {
    return this.#history;
  }

  /** Something came from that member over a connection on which it has proven itself. */
  hear(id: string): void {
    if (this.#ids.has(id)) this.#heardAtMs.set(id, this.#observedMs);
  }

  /** A member says whom it hears. */
  claim(id: string, heard: Iterable<string>): void {
    if (!this.#ids.has(id)) return;
    this.hear(id);
    this.#claims.set(id, new Set(heard));
  }

  /** Members that are heard now, in the order of the committee: what to tell the others. */
  heard(): string[] {
    return this.#members.filter(({ id }) => !this.#isSilent(id)).map(({ id }) => id);
  }

  /**
   * Looks at what has been heard. Call it several times within `silenceMs`.
   *
   * @param members the committee; the same array as long as it has not changed
   * @param nowMs wall clock
   * @returns what has changed, or null
   */
  look(members: readonly Member[], nowMs: number): PartitionEvent | null {
    this.#pass(nowMs);
    this.#meet(members);
    for (const id of this.#claims.keys()) if (this.#isSilent(id)) this.#claims.delete(id);
    const sides = sidesOf({ members, self: this.#options.self, heard: new Set(this.heard()), claims: this.#claims });
    // Until connections stand again, only good news is believed.
    if (this.#observedMs < this.#settledAtMs && sides.length > 1) return null;
    return this.#adopt(sides, nowMs);
  }

  #pass(nowMs: number): void {
    const { silenceMs, settleMs } = this.#options;
    const passedMs = nowMs - (this.#lookedAtMs ?? nowMs);
    this.#lookedAtMs = nowMs;
    this.#observedMs += Math.min(Math.max(passedMs, 0), silenceMs / 2);
    if (passedMs > silenceMs || passedMs < 0) this.#settledAtMs = this.#observedMs + settleMs;
  }

  #meet(members: readonly Member[]): void {
    if (members === this.#members) return;
    this.#members = members;
    // Whoever joins had no chance to be heard as a member.
    this.#settledAtMs = Math.max(this.#settledAtMs, this.#observedMs + this.#options.silenceMs);
    this.#ids = new Set(members.map(({ id }) => id).filter((id) => id !== this.#options.self));
    for (const id of this.#heardAtMs.keys()) if (!this.#ids.has(id)) this.#heardAtMs.delete(id);
    for (const id of this.#claims.keys()) if (!this.#ids.has(id)) this.#claims.delete(id);
  }

  #isSilent(id: string): boolean {
    return this.#observedMs - (this.#heardAtMs.get(id) ?? Number.NEGATIVE_INFINITY) > this.#options.silenceMs;
  }

  #adopt(sides: readonly Side[], nowMs: number): PartitionEvent | null {
    const before = this.#sides;
    if (same(before, sides)) return null;
    this.#sides = sides;
    const current = this.#history.at(-1);
    if (before.length <= 1 && sides.length <= 1) return null;
    if (before.length <= 1 || current === undefined) {
      this.#history.push({ sinceMs: nowMs, untilMs: null, sides });
      if (this.#history.length > PARTITIONS_REMEMBERED_MAX) this.#history.shift();
      return { kind: 'partitioned', atMs: nowMs, sides };
    }
    const merged = sides.length <= 1;
    this.#history[this.#history.length - 1] = merged ? { ...current, untilMs: nowMs } : { ...current, sides };
    return { kind: merged ? 'merged' : 'changed', atMs: nowMs, sides };
  }
}

function same(one: readonly Side[], other: readonly Side[]): boolean {
  return one.length === other.length && one.every((side, index) => sameSide(side, other[index] as Side));
}

function sameSide(one: Side, other: Side): boolean {
  const { length } = one.members;
  if (one.weight !== other.weight || one.mayDecide !== other.mayDecide || one.reached !== other.reached) return false;
  return length === other.members.length && one.members.every((id, index) => id === other.members[index]);
}
