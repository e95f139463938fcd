import { type Custody, type RecalledMessage, type Refusal, type Result, type Signer, SignerError } from '@nacre/base';
import { PROPOSAL_CONTEXT, VOTE_CONTEXT } from '@nacre/consensus';
import type { FaultTally } from './fault-tally.ts';
import type { ProcessLife } from './process-life.ts';
import type { SeededRandom } from './random.ts';
import type { SignerProcess } from './signer-process.ts';

/** One way between node and signer, in virtual ms. */
const WAY_MS: readonly [number, number] = [0.05, 0.5];
/** Between two attempts to reach a signer, as a node makes them, in ms. */
const RETRY_FIRST_MS = 50;
const RETRY_LAST_MS = 2_000;
/** How long what is no vote waits for a signer that is away, in ms. */
const PATIENCE_MS = 2_000;
const NOTHING = new Uint8Array(0);

interface Dependencies {
  readonly random: SeededRandom;
  readonly tally: FaultTally;
}

/**
 * A node's side of a signer in another process: what it asks takes time to arrive, the answer takes time to return, and when either end dies on the
 * way, the node knows nothing of what was signed.
 */
export class SignerLinkEnd implements Signer, Custody {
  readonly publicKey: Uint8Array;
  readonly #life: ProcessLife;
  readonly #process: SignerProcess;
  readonly #random: SeededRandom;
  readonly #tally: FaultTally;
  readonly #listeners = new Set<() => void>();
  readonly #arrivals = new Set<() => void>();
  readonly #waiting = new Set<(error: SignerError) => void>();
  #session: number | null = null;
  #sessions = 0;
  #floorHeight = 0;
  #connected = false;

  constructor(life: ProcessLife, process: SignerProcess, { random, tally }: Dependencies) {
    this.#life = life;
    this.#process = process;
    this.#random = random;
    this.#tally = tally;
    this.publicKey = process.validator.signer.publicKey;
  }

  /** Waits for the signer, for as long as it takes. Call once. */
  async connected(): Promise<void> {
    this.#reach(RETRY_FIRST_MS);
    if (!this.#connected) await new Promise<void>((resolve) => this.#arrivals.add(resolve));
  }

  get session(): number | null {
    return this.#session;
  }

  get floorHeight(): number {
    return this.#floorHeight;
  }

  async sign(message: Uint8Array, context: string, contents: Uint8Array = NOTHING): Promise<Uint8Array> {
    const isUrgent = context === VOTE_CONTEXT || context === PROPOSAL_CONTEXT;
    if (!isUrgent && !this.#connected) await this.#patiently();
    return this.#ask(() => this.#process.sign({ context, message, contents }));
  }

  async recall(aboveHeight: number): Promise<readonly RecalledMessage[]> {
    const messages: RecalledMessage[] = [];
    for (let more = true; more; ) {
      const skip = messages.length;
      const page = await this.#ask(() => this.#process.recall(aboveHeight, skip));
      messages.push(...page.messages);
      more = page.more;
    }
    return messages;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The signer's end, or what is between, is gone. */
  ended(): void {
    this.#connected = false;
    this.#session = null;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const reject of waiting) reject(away());
    this.#tell();
    this.#life.schedule(RETRY_FIRST_MS, () => this.#reach(2 * RETRY_FIRST_MS));
  }

  /** This process is gone. */
  died(): void {
    this.#process.forget(this);
  }

  #reach(nextMs: number): void {
    const welcome = this.#process.greet(this);
    if (welcome === null) {
      this.#life.schedule(nextMs, () => this.#reach(Math.min(2 * nextMs, RETRY_LAST_MS)));
      return;
    }
    this.#connected = true;
    this.#floorHeight = welcome.floorHeight;
    this.#session = welcome.inDoubt ? null : ++this.#sessions;
    for (const arrived of [...this.#arrivals]) arrived();
    this.#arrivals.clear();
    this.#tell();
  }

  #patiently(): Promise<void> {
    return new Promise((resolve) => {
      this.#arrivals.add(resolve);
      this.#life.schedule(PATIENCE_MS, resolve);
    });
  }

  /** Both ways take time; an end of the connection meanwhile is all that the asker learns. */
  #ask<Answer>(question: () => Promise<Result<Answer, Refusal>>): Promise<Answer> {
    if (!this.#connected) return Promise.reject(away());
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      this.#life.schedule(this.#random.between(...WAY_MS), () => {
        void question().then((answer) => {
          if (!this.#life.alive) return;
          this.#life.schedule(this.#random.between(...WAY_MS), () => {
            const isHeard = this.#waiting.delete(reject);
            if (!isHeard && answer.ok) this.#tally.add('answerUnheard');
            if (!isHeard) return;
            if (answer.ok) resolve(answer.value);
            else reject(new SignerError('SIGNER_REFUSED', 'refused', { fields: { reason: answer.error.code } }));
          });
        });
      });
    });
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function away(): SignerError {
  return new SignerError('SIGNER_AWAY', 'the signer does not answer', { fields: { why: 'the connection ended' } });
}
