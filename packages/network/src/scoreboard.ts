import type { Clock, Refusal } from '@nacre/base';

/** Points at which a peer is disconnected and banned. */
const DISCONNECT_AT = 100;
/** Half of a peer's points are forgiven after this time, in ms. Longer: rare accidents of a long-lived peer add up. */
const HALF_LIFE_MS = 60_000;
/** Peers remembered. Beyond: the one whose last offence is the longest ago is forgotten, its ban with it. */
const ENTRIES_MAX = 4_096;
/** Doublings of the time of a ban. */
const BAN_DOUBLINGS_MAX = 6;
/** What no honest peer can send, since it checks before it passes on: one is enough. */
const UNFORGIVABLE = DISCONNECT_AT;
/** What a peer of another build or with a damaged memory may send now and then. Above a quarter, so that the fourth within seconds is the last. */
const BREACH = 26;
/** What an honest peer may do for want of knowing our limits. */
const NUISANCE = 4;
/** What a peer does that sends as fast as it is read, in each second: on its own never enough for a ban. */
const PRESSURE = 1;
const PRESSURE_INTERVAL_MS = 1_000;

/** Points by code of the offence; any other code is a breach. */
const POINTS: Readonly<Record<string, number>> = {
  PROPOSAL_SIGNATURE: UNFORGIVABLE,
  VOTE_SIGNATURE: UNFORGIVABLE,
  SIGNATURE_INVALID: UNFORGIVABLE,
  CERTIFICATE_INVALID: UNFORGIVABLE,
  FRAME_TOO_LARGE: UNFORGIVABLE,
  RATE_EXCEEDED: PRESSURE,
  REQUESTS_TOO_MANY: NUISANCE,
};

interface Entry {
  points: number;
  countedAtMs: number;
  bans: number;
  bannedUntilMs: number;
  pressedAtMs: number;
}

/**
 * Points against peers, by key: the address of a proven validator, the peer id of anyone else, so that a validator cannot
 * shed them with a new peer id. In memory only: a restart forgives everyone. Points never touch a validator's weight.
 */
export class Scoreboard {
  readonly #clock: Clock;
  readonly #banMs: number;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, banMs: number) {
    this.#clock = clock;
    this.#banMs = banMs;
  }

  /** @returns whether the peer is to be disconnected: it is banned from now on */
  penalize(key: string, offence: Refusal): boolean {
    const nowMs = this.#clock.nowMs();
    const entry = this.#entries.get(key) ?? { points: 0, countedAtMs: nowMs, bans: 0, bannedUntilMs: 0, pressedAtMs: 0 };
    if (offence.code === 'RATE_EXCEEDED') {
      if (nowMs - entry.pressedAtMs < PRESSURE_INTERVAL_MS) return false;
      entry.pressedAtMs = nowMs;
    }
    entry.points = pointsAt(entry, nowMs) + (POINTS[offence.code] ?? BREACH);
    entry.countedAtMs = nowMs;
    // Deleted first, so that the order of the map is the order of the last offences.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > ENTRIES_MAX) this.#entries.delete(this.#entries.keys().next().value as string);
    if (entry.points < DISCONNECT_AT) return false;
    entry.points = 0;
    entry.bannedUntilMs = nowMs + this.#banMs * 2 ** Math.min(entry.bans, BAN_DOUBLINGS_MAX);
    entry.bans++;
    return true;
  }

  /** 0 for a peer without offences, below 0 for others, -100 at the ban. */
  score(key: string): number {
    const entry = this.#entries.get(key);
    return entry === undefined ? 0 : -pointsAt(entry, this.#clock.nowMs());
  }

  banned(key: string): boolean {
    return (this.#entries.get(key)?.bannedUntilMs ?? 0) > this.#clock.nowMs();
  }

  /** Ends a ban and forgets what led to it. */
  forgive(key: string): void {
    this.#entries.delete(key);
  }
}

function pointsAt(entry: Entry, nowMs: number): number {
  return entry.points * 0.5 ** (Math.max(0, nowMs - entry.countedAtMs) / HALF_LIFE_MS);
}
