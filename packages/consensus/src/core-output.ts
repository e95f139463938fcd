import type { Hash } from '@nacre/base';
import type { Certificate } from './certificate.ts';
import type { Fault, Ready, SignRequest, Timeout } from './core-types.ts';
import type { Equivocation } from './evidence.ts';
import type { Lock } from './lock.ts';

/** What the core has decided to ask for since the driver last took it. */
export class CoreOutput {
  readonly #sign: SignRequest[] = [];
  readonly #schedule: { readonly timeout: Timeout; readonly delayMs: number }[] = [];
  readonly #wanted: Hash[] = [];
  readonly #equivocations: Equivocation[] = [];
  lock: Lock | null = null;
  build: { readonly round: number } | null = null;
  decide: { readonly certificate: Certificate } | null = null;
  fault: Fault | null = null;

  sign(request: SignRequest): void {
    this.#sign.push(request);
  }

  schedule(timeout: Timeout, delayMs: number): void {
    this.#schedule.push({ timeout, delayMs });
  }

  want(blockHash: Hash): void {
    this.#wanted.push(blockHash);
  }

  accuse(equivocation: Equivocation): void {
    this.#equivocations.push(equivocation);
  }

  get isEmpty(): boolean {
    const lists = this.#sign.length + this.#schedule.length + this.#wanted.length + this.#equivocations.length;
    return lists === 0 && this.lock === null && this.build === null && this.decide === null && this.fault === null;
  }

  take(): Ready {
    const { lock, build, decide, fault } = this;
    this.lock = this.build = this.decide = this.fault = null;
    return {
      sign: this.#sign.splice(0),
      lock,
      schedule: this.#schedule.splice(0),
      build,
      decide,
      wanted: this.#wanted.splice(0),
      equivocations: this.#equivocations.splice(0),
      fault,
    };
  }
}
