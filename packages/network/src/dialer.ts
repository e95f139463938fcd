import type { Clock, Random, Timer } from '@nacre/base';

/** Dials at a time. The rest waits for the next look. */
const DIALS_MAX = 8;
/** How often in the shortest wait it is looked at who is missing: a wait is longer by one part at most. */
const LOOKS_PER_WAIT = 4;

/** Someone to be connected to. */
export interface DialTarget {
  /** Stays the same as long as it is the same peer at the same place. */
  readonly key: string;
}

interface DialerOptions<Target extends DialTarget> {
  readonly clock: Clock;
  readonly random: Random;
  readonly redialFirstMs: number;
  readonly redialLastMs: number;
  /** Whoever is missing now. What is no longer wanted is forgotten, its failures too. */
  readonly wanted: () => readonly Target[];
  /** @returns whether the peer was dialled and has let us in; never rejects */
  readonly dial: (target: Target) => Promise<boolean>;
}

interface Attempts {
  failures: number;
  /** Not before. */
  nextMs: number;
  dialing: boolean;
  connectedAtMs: number | null;
}

/**
 * Keeps dialling whoever is missing. The wait after a failure doubles up to a bound, less up to half of it by chance, so that
 * nodes which lost one another at once do not come back at once. A connection that does not last counts as a failure.
 */
export class Dialer<Target extends DialTarget> {
  readonly #options: DialerOptions<Target>;
  readonly #attempts = new Map<string, Attempts>();
  #timer: Timer | null = null;
  #running = false;
  #dialing = 0;

  constructor(options: DialerOptions<Target>) {
    this.#options = options;
  }

  start(): void {
    this.#running = true;
    this.look();
  }

  stop(): void {
    this.#running = false;
    this.#timer?.cancel();
  }

  /** Looks now for whom to dial, instead of at the next interval. */
  look(): void {
    if (!this.#running) return;
    this.#timer?.cancel();
    const { clock, redialFirstMs, wanted } = this.#options;
    this.#timer = clock.schedule(redialFirstMs / LOOKS_PER_WAIT, () => this.look());
    const nowMs = clock.nowMs();
    for (const target of wanted()) {
      if (this.#dialing >= DIALS_MAX) return;
      const attempts = this.#of(target.key);
      if (attempts.dialing) continue;
      if (attempts.connectedAtMs !== null) this.#lost(attempts, nowMs);
      if (attempts.nextMs <= nowMs) void this.#dial(target, attempts);
    }
  }

  /** Dials without the wait that failures have earned: what made them fail is said to be over. */
  forgetFailures(): void {
    for (const [key, attempts] of this.#attempts) if (!attempts.dialing) this.#attempts.delete(key);
    this.look();
  }

  /** Forgets targets for good, so that the list stays as short as that of who is wanted or connected. */
  retain(keys: ReadonlySet<string>): void {
    for (const [key, attempts] of this.#attempts) if (!keys.has(key) && !attempts.dialing) this.#attempts.delete(key);
  }

  #of(key: string): Attempts {
    let attempts = this.#attempts.get(key);
    if (attempts === undefined) {
      attempts = { failures: 0, nextMs: 0, dialing: false, connectedAtMs: null };
      this.#attempts.set(key, attempts);
    }
    return attempts;
  }

  #lost(attempts: Attempts, nowMs: number): void {
    const lasted = nowMs - (attempts.connectedAtMs as number) >= this.#options.redialLastMs;
    attempts.connectedAtMs = null;
    if (lasted) attempts.failures = 0;
    else this.#failed(attempts, nowMs);
  }

  #failed(attempts: Attempts, nowMs: number): void {
    const { random, redialFirstMs, redialLastMs } = this.#options;
    const waitMs = Math.min(redialLastMs, redialFirstMs * 2 ** attempts.failures);
    const chance = (random.bytes(1)[0] as number) / 256;
    attempts.failures++;
    attempts.nextMs = nowMs + waitMs * (1 - chance / 2);
  }

  async #dial(target: Target, attempts: Attempts): Promise<void> {
    attempts.dialing = true;
    this.#dialing++;
    const admitted = await this.#options.dial(target);
    this.#dialing--;
    attempts.dialing = false;
    const nowMs = this.#options.clock.nowMs();
    if (admitted) attempts.connectedAtMs = nowMs;
    else this.#failed(attempts, nowMs);
  }
}
