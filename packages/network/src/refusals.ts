import type { Clock, Log, LogFields } from '@nacre/base';
import type { Counters, RefusalReason } from './network-counters.ts';
import { TokenBucket } from './token-bucket.ts';

/** Refused connections named in the log per second; all are counted. Whoever connects ever again must not fill the disk. */
const LOGGED_PER_SECOND = 10;

/** Counts and logs the connections that were refused, whether in the handshake, by their proof or by a rule. */
export class Refusals {
  readonly #counters: Counters;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #rate: TokenBucket;

  constructor({ counters, log, clock }: { readonly counters: Counters; readonly log: Log; readonly clock: Clock }) {
    this.#counters = counters;
    this.#log = log;
    this.#clock = clock;
    this.#rate = new TokenBucket(LOGGED_PER_SECOND, clock.nowMs());
  }

  refuse(code: RefusalReason, fields: LogFields): void {
    this.#counters.refuse(code);
    // Two nodes that dial one another at once are no event.
    if (code === 'DUPLICATE' || !this.#rate.tryTake(1, this.#clock.nowMs())) return;
    this.#log.info({ ...fields, code }, 'connection refused');
  }
}
