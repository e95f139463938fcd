import { type Log, type RecalledMessage, type Refusal, type Result, toHex } from '@nacre/base';
import { PROPOSAL_CONTEXT, proposalMessageCodec, VOTE_CONTEXT, voteMessageCodec } from '@nacre/consensus';
import { type Genesis, VoteJournal } from '@nacre/ledger';
import { SigningDesk } from '@nacre/replica';
import { ProcessLife, TRUE_CLOCK } from './process-life.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimDisk } from './sim-disk.ts';
import type { SimValidator } from './sim-validator.ts';
import type { Report } from './violation.ts';

/** What a replica has signed by itself in transactions. */
const OPERATIONS: ReadonlySet<string> = new Set(['evidence', 'validator.recover']);

export interface SignerProcessOptions {
  /** The node that it signs for. */
  readonly node: number;
  readonly genesis: Genesis;
  readonly validator: SimValidator;
  readonly epochMs: number;
}

interface Dependencies {
  readonly scheduler: Scheduler;
  readonly disk: SimDisk;
  readonly random: SeededRandom;
  readonly log: Log;
  readonly report: Report;
}

/** What a connected node hears of the signer. */
export interface SignerLink {
  /** The connection has ended. */
  ended(): void;
}

/** What a node that greets a signer learns. */
export interface Welcome {
  readonly floorHeight: number;
  readonly inDoubt: boolean;
}

/**
 * The half of a validator that holds its key, in a process and on a disk of its own: the real desk over a journal. It serves one node at a time. Every
 * signature of consensus that it ever makes is looked at: two contents at one place break its only promise, whether or not anybody hears of them.
 */
export class SignerProcess {
  readonly #options: SignerProcessOptions;
  readonly #dependencies: Dependencies;
  /** By place: what was signed, over all lives. */
  readonly #signed = new Map<string, string>();
  #generation = -1;
  #life: ProcessLife | null = null;
  #running: { readonly desk: SigningDesk; readonly journal: VoteJournal } | null = null;
  #served: SignerLink | null = null;
  #onSigned: (() => void) | null = null;

  constructor(options: SignerProcessOptions, dependencies: Dependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  get validator(): SimValidator {
    return this.#options.validator;
  }

  get isDown(): boolean {
    return this.#life === null;
  }

  /** What `init` does on its machine. */
  async prepare(): Promise<void> {
    const life = this.#newLife();
    const home = this.#home(life);
    await VoteJournal.create({ validator: this.validator.address }, home);
    await home.store.close();
    life.end();
  }

  async start(): Promise<void> {
    const life = this.#newLife();
    this.#life = life;
    const { genesis } = this.#options;
    const { log, report } = this.#dependencies;
    const journal = await VoteJournal.open({ validator: this.validator.address }, this.#home(life));
    if (journal.doubt !== null) report('DOUBT', `the signer of node ${this.#options.node} restarts in doubt: ${journal.doubt.code}`);
    const desk = new SigningDesk({ genesis, operations: OPERATIONS }, { signer: this.validator.signer, journal, log });
    this.#running = { desk, journal };
  }

  /** The power cut on its side. */
  crash(): void {
    this.#life?.end();
    this.#life = null;
    this.#running = null;
    this.cut();
    this.#dependencies.disk.crash();
  }

  /** Called once, when something is signed next and nobody has heard of it. */
  onNextSigned(action: (() => void) | null): void {
    this.#onSigned = action;
  }

  /** Ends the connection; what was asked over it may still be signed. */
  cut(): void {
    const link = this.#served;
    this.#served = null;
    link?.ended();
  }

  /** @returns null while it does not run, or serves another process */
  greet(link: SignerLink): Welcome | null {
    if (this.#running === null || this.#served !== null) return null;
    this.#served = link;
    const { floorHeight, inDoubt } = this.#running.desk;
    return { floorHeight, inDoubt };
  }

  /** The node's end is gone. */
  forget(link: SignerLink): void {
    if (this.#served === link) this.#served = null;
  }

  /** Never settles if the power is cut meanwhile. */
  async sign(request: Parameters<SigningDesk['sign']>[0]): Promise<Result<Uint8Array, Refusal>> {
    if (this.#running === null) return new Promise(() => {});
    const signed = await this.#running.desk.sign(request);
    if (!signed.ok) return signed;
    this.#look(request);
    const due = this.#onSigned;
    this.#onSigned = null;
    due?.();
    return signed;
  }

  async recall(aboveHeight: number, skip: number): Promise<Result<{ messages: readonly RecalledMessage[]; more: boolean }, Refusal>> {
    if (this.#running === null) return new Promise(() => {});
    return this.#running.desk.recall(aboveHeight, skip);
  }

  #look({ context, message }: { readonly context: string; readonly message: Uint8Array }): void {
    const codec = context === VOTE_CONTEXT ? voteMessageCodec : context === PROPOSAL_CONTEXT ? proposalMessageCodec : null;
    const decoded = codec?.decode(message);
    if (decoded?.ok !== true) return;
    const { content } = decoded.value;
    const kind = 'kind' in content ? content.kind : 'proposal';
    const place = `${content.height}/${content.round} ${kind}`;
    const said = toHex(message);
    const before = this.#signed.get(place);
    this.#signed.set(place, said);
    if (before === undefined || before === said) return;
    this.#dependencies.report('EQUIVOCATION', `the signer of node ${this.#options.node} signed two things at ${place}`);
  }

  #home(life: ProcessLife) {
    const { disk, random } = this.#dependencies;
    return { directory: disk.files.open(life), store: disk.store.open(life), random: random.fork(`process ${life.generation}`) };
  }

  #newLife(): ProcessLife {
    const { node, epochMs } = this.#options;
    const options = { node, generation: ++this.#generation, epochMs, clock: TRUE_CLOCK };
    return new ProcessLife(options, { scheduler: this.#dependencies.scheduler });
  }
}
