import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Address, assert, NacreError } from '@nacre/base';
import type { ReplicaConfiguration } from '@nacre/replica';
import { type Statement, statementsIn } from '@nacre/simulator';
import { Cluster, until } from './cluster.ts';
import type { SeenFrame } from './memory-network.ts';
import { Statements } from './statements.ts';

/** Empty blocks one after the other, so that there is always a height to damage a validator in. */
const HURRY: Partial<ReplicaConfiguration> = {
  timeouts: { proposeMs: 150, prepareMs: 80, commitMs: 80, growthMs: 80 },
  idleIntervalMs: 20,
  emptyIntervalMs: 20,
  repairIntervalMs: 25,
  statusIntervalMs: 50,
  resendIntervalMs: 200,
  requestTimeoutMs: 500,
};

/** Frames within one process arrive and are verified in far less. */
const HEARD_MS = 200;

/** Changes a stopped validator's home. */
export type Damage = (home: string) => Promise<void>;

/** How the key came back: with its journal, after its recovery from a doubt, and whether its store had to be moved away. */
export interface DamageOutcome {
  readonly doubt: string | null;
  readonly store: string | null;
}

/** Stops validators in the middle of a height, damages their homes, and watches what their keys say afterwards. */
export class DamageDrill {
  readonly outcomes = new Map<string, number>();
  readonly #root: string;
  readonly #statements = new Statements();
  #cluster!: Cluster;
  /** Sees statements as they are made for the first time. */
  #look: ((fresh: readonly Statement[]) => void) | null = null;
  #trials = 0;

  private constructor(root: string) {
    this.#root = root;
  }

  static async begin(): Promise<DamageDrill> {
    // Homes are opened by the hundred, and none of this is about power cuts: memory saves the syncs.
    const drill = new DamageDrill(await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'nacre-damage-')));
    drill.#cluster = await Cluster.start({ root: drill.#root, configuration: HURRY, observe: (frame) => drill.#observe(frame) });
    return drill;
  }

  async end(): Promise<void> {
    await this.#cluster.stopAll();
    await rm(this.#root, { recursive: true });
  }

  /** One validator after the other proposes, is stopped and damaged, and comes back. @throws if it does not, or says something twice */
  async run(damage: Damage): Promise<DamageOutcome> {
    const trial = this.#trials++;
    const node = trial % this.#cluster.validators.length;
    await this.#stopAfter('proposal', { node, heard: trial % 8 < 4 });
    await damage(this.#cluster.home(node));
    return this.#comeBack(node);
  }

  /**
   * Puts a copy of the home as it was some heights ago in place of the one that its key has voted with since. Everybody knows of a vote
   * that the copy does not, at a height that stays undecided: or the validator could catch up past it before it hears of it.
   */
  async runOldCopy(): Promise<DamageOutcome> {
    const node = this.#trials++ % this.#cluster.validators.length;
    const home = this.#cluster.home(node);
    const copy = join(this.#root, 'copy');
    await this.#stopAfter('proposal', { node, heard: true });
    await cp(home, copy, { recursive: true });
    await this.#comeBack(node);
    this.#cluster.network.lost = (frame) => statementsIn(frame).some(({ kind }) => kind === 'commit');
    const before = this.#statements.said.length;
    await until('everyone has committed to a block, and nobody has heard of it', () => {
      const committed = this.#statements.said.slice(before).filter(({ kind, blockHash }) => kind === 'commit' && blockHash !== null);
      return new Set(committed.map(({ validator }) => validator)).size === this.#cluster.validators.length;
    });
    await new Promise((resolve) => setTimeout(resolve, HEARD_MS));
    await this.#cluster.stop(node);
    await rm(home, { recursive: true });
    await cp(copy, home, { recursive: true });
    await rm(copy, { recursive: true });
    return this.#comeBack(node);
  }

  /**
   * Waits until a validator makes such a statement at a new height, cuts all connections and stops it. So the height stays undecided,
   * and either everybody else has heard the statement or nobody has.
   */
  async #stopAfter(kind: Statement['kind'], { node, heard }: { readonly node: number; readonly heard: boolean }): Promise<void> {
    const place = this.#placeOf(node);
    await new Promise<void>((resolve) => {
      this.#look = (fresh) => {
        if (!fresh.some((statement) => statement.kind === kind && statement.validator === place)) return;
        this.#look = null;
        const cut = (): void => {
          this.#cluster.network.cut();
          resolve();
        };
        // Frames sent in this turn arrive in the next one; the one after is soon enough to stop what is decided by them.
        if (heard) setImmediate(() => setImmediate(cut));
        else cut();
      };
    });
    await this.#cluster.stop(node);
  }

  #observe(frame: SeenFrame): void {
    const fresh = this.#statements.see(frame);
    this.#look?.(fresh);
  }

  async #comeBack(node: number): Promise<DamageOutcome> {
    const witness = this.#cluster.replica((node + 1) % this.#cluster.validators.length).ledger;
    const before = { height: witness.tip.height, said: this.#statements.said.length };
    let store = await this.#start(node);
    let doubt: string | null = null;
    let looked = before.height;
    const votes = (): boolean => {
      while (looked < witness.tip.height) {
        looked++;
        if (witness.certificateAt(looked)?.commits.some(({ validator }) => validator === this.#placeOf(node))) return true;
      }
      return false;
    };
    this.#cluster.network.heal();
    for (let back = false; !back; ) {
      await until(`validator ${node} votes, or has stopped`, () => {
        const status = this.#cluster.replica(node).status();
        doubt ??= status.doubt?.code ?? null;
        if (doubt !== null) this.#cluster.network.lost = () => false;
        back = votes();
        return back || status.mode === 'stopped';
      });
      if (back) break;
      assert(store === null, `a fresh store fails as well: ${this.#cluster.errors.join()}`);
      store = 'stopped';
      await this.#cluster.stop(node);
      await this.#startAfresh(node);
    }
    assert(this.#statements.conflicts.length === 0, `said twice: ${this.#statements.conflicts.join()}`);
    if (doubt !== null) this.#expectMuteUntilRecovered(node, before);
    const name = [doubt ?? 'no doubt', ...(store === null ? [] : [`store ${store}`])].join(', ');
    this.outcomes.set(name, (this.outcomes.get(name) ?? 0) + 1);
    return { doubt, store };
  }

  #expectMuteUntilRecovered(node: number, before: { readonly height: number; readonly said: number }): void {
    const { ledger } = this.#cluster.replica(node);
    const place = this.#placeOf(node);
    const recoveredAt = ledger.recovery(this.#cluster.validators[node]?.address as Address)?.height ?? 0;
    assert(recoveredAt > before.height, `recovered at ${recoveredAt}, damaged at ${before.height}`);
    const early = this.#statements.said.slice(before.said).filter(({ validator, height }) => validator === place && height <= recoveredAt);
    assert(early.length === 0, `said in doubt, recovered at ${recoveredAt}: ${JSON.stringify(early)}`);
  }

  /** As an operator would: a store that says that it is damaged is moved away, key and vote journal stay. */
  async #start(node: number): Promise<string | null> {
    try {
      await this.#cluster.start(node);
      return null;
    } catch (error) {
      if (!(error instanceof NacreError)) throw error;
      const code: string = error.code;
      await this.#startAfresh(node);
      return code;
    }
  }

  async #startAfresh(node: number): Promise<void> {
    await rm(this.#cluster.storePath(node), { recursive: true });
    await this.#cluster.start(node);
  }

  #placeOf(node: number): number {
    return this.#cluster.genesis.committee.indexOf(this.#cluster.validators[node]?.address as Address) as number;
  }
}
