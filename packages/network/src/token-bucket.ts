/**
 * A rate with a burst of one second's worth. What is taken beyond it is owed, so that something larger than the burst
 * passes too, and whoever takes waits until the debt is paid.
 */
export class TokenBucket {
  readonly #perSecond: number;
  #tokens: number;
  #refilledAtMs: number;

  /** @param nowMs any clock; only differences count, and one that runs backwards refills nothing */
  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#refilledAtMs = nowMs;
  }

  /** @returns ms until the debt is paid, 0 if there is none */
  take(amount: number, nowMs: number): number {
    this.#refill(nowMs);
    this.#tokens -= amount;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#perSecond) * 1000);
  }

  /** Takes `amount` if it is there, else nothing. */
  tryTake(amount: number, nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < amount) return false;
    this.#tokens -= amount;
    return true;
  }

  #refill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#refilledAtMs);
    this.#tokens = Math.min(this.#perSecond, this.#tokens + (elapsedMs / 1000) * this.#perSecond);
    this.#refilledAtMs = nowMs;
  }
}
