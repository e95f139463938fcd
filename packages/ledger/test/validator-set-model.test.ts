import { toHex } from '@nacre/base';
import {
  advanceCheckpoint,
  type Checkpoint,
  changesCommittee,
  genesisCheckpoint,
  type Operation,
  proposalId,
  type SetChange,
  type Transaction,
} from '@nacre/ledger';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EpochChain } from './support/epoch-chain.ts';
import { fakeVerifier } from './support/fake-keys.ts';
import { type OracleChange, SetOracle } from './support/set-oracle.ts';
import type { TestKey } from './support/test-chain.ts';

const EPOCH_BLOCKS = 4;
const WINDOW_MS = 12_000;
const EVIDENCE_EPOCHS = 2;
const PROPOSALS_MAX = 3;
const WEIGHTS = [30, 30, 30, 30, 20, 20, 10];
const NAMES = [...WEIGHTS.map((_, index) => `v${index}`), 'j0', 'j1', 'j2'];

/** One thing that one party does; numbers are taken modulo what there is. */
type Step =
  | { readonly do: 'propose'; readonly by: number; readonly change: OracleChange; readonly support: number }
  | { readonly do: 'approve'; readonly by: number; readonly proposal: number }
  | { readonly do: 'evidence'; readonly against: number; readonly back: number };

interface Round {
  readonly steps: readonly Step[];
  /** Who does not sign the block. */
  readonly absent: number;
}

const name = fc.constantFrom(...NAMES);
const change: fc.Arbitrary<OracleChange> = fc.oneof(
  fc.record({ kind: fc.constant('join' as const), name, weight: fc.constantFrom(5, 10, 30, 45) }),
  fc.record({ kind: fc.constantFrom('leave' as const, 'rehabilitate' as const), name }),
  fc.record({ kind: fc.constant('weight' as const), name, weight: fc.constantFrom(5, 20, 30, 60) }),
  fc.record({ kind: fc.constant('parameter' as const), value: fc.constantFrom(64, 128, 256) }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('propose' as const), by: fc.nat(9), change, support: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('approve' as const), by: fc.nat(9), proposal: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('evidence' as const), against: fc.nat(9), back: fc.nat(12) }) },
);
const round: fc.Arbitrary<Round> = fc.record({ steps: fc.array(step, { maxLength: 3 }), absent: fc.nat(20) });

function unreached(why: string): never {
  throw new Error(why);
}

/** A chain and what it should do, side by side. */
class Model {
  readonly chain: EpochChain;
  readonly oracle = new SetOracle(new Map(WEIGHTS.map((weight, index) => [`v${index}`, weight])));
  readonly #keys: ReadonlyMap<string, TestKey>;
  readonly #ids: Uint8Array[] = [];
  #signers: readonly string[] | null = null;
  #blocksOfEpoch = 0;
  #checkpoint: Checkpoint;

  private constructor(chain: EpochChain) {
    this.chain = chain;
    this.#checkpoint = genesisCheckpoint(chain.genesis);
    this.#keys = new Map(NAMES.map((each) => [each, each.startsWith('v') ? chain.validator(Number(each.slice(1))) : chain.key(each)]));
    this.oracle.committeeBefore = new Set(this.oracle.committee.keys());
  }

  static async create(): Promise<Model> {
    const parameters = {
      epochBlocksMin: EPOCH_BLOCKS,
      proposalWindowMs: WINDOW_MS,
      evidenceEpochs: EVIDENCE_EPOCHS,
      proposalsPerValidatorMax: PROPOSALS_MAX,
    };
    return new Model(await EpochChain.create({ weights: WEIGHTS, parameters }));
  }

  /** @returns what has come of it, and what should have */
  async round({ steps, absent }: Round): Promise<{ readonly actual: object; readonly expected: object }> {
    const { chain, oracle } = this;
    const timeMs = chain.nextTimeMs;
    oracle.height++;
    const transactions: Transaction[] = [];
    const expected: (string | null)[] = [];
    for (const each of steps)
      await this.#step(each, timeMs, (transaction, outcome) => {
        transactions.push(transaction);
        expected.push(outcome);
      });
    const missing = [...oracle.committee.keys()][absent];
    const absentees = missing === undefined || !this.#canMiss(missing) ? [] : [this.#key(missing)];
    const outcomes = await chain.decide(transactions, { timeMs, absent: absentees });
    const parent = this.#blocksOfEpoch === 0 ? null : this.#signers;
    const signers = [...oracle.committee.keys()].filter((each) => absentees.length === 0 || each !== missing);
    const ended = oracle.block(parent, EPOCH_BLOCKS, ++this.#blocksOfEpoch);
    this.#signers = signers;
    if (ended) this.#blocksOfEpoch = 0;
    const followed = await this.#follow();
    return { actual: { outcomes, followed, ...this.#actual() }, expected: { outcomes: expected, followed: true, ...this.#expected() } };
  }

  /** A light client goes on by one block. @returns whether it is where the chain is, or why not */
  async #follow(): Promise<unknown> {
    const { genesis, ledger } = this.chain;
    const update = ledger.lightUpdate({ fromHeight: this.#checkpoint.height });
    if (!update.ok) return update.error;
    const advanced = await advanceCheckpoint(this.#checkpoint, update.value.bytes, { genesis, verifier: fakeVerifier });
    if (!advanced.ok) return advanced.error;
    this.#checkpoint = advanced.value;
    const { height, committee } = advanced.value;
    // The last block of a committee says who comes next when the one after it is there.
    const isThere = height === ledger.tip.height || ledger.tip.header === null || changesCommittee(ledger.tip.header);
    return isThere && toHex(ledger.committeeAt(height + 1).hash) === toHex(committee.hash);
  }

  #actual(): object {
    const { chain } = this;
    const { members } = chain.ledger.validatorSet.registry;
    return {
      epoch: chain.epoch,
      committee: chain.weights(),
      scheduled: chain.weightsOf(chain.ledger.nextEpoch().committee.validators),
      registered: chain.weightsOf(members),
      verdicts: new Map(members.map(({ address, held }) => [this.#nameOf(address), held?.verdict ?? null])),
      parameter: chain.ledger.parameters.keyBytesMax,
    };
  }

  #expected(): object {
    const { epoch, committee, scheduled, members, parameter } = this.oracle;
    return {
      epoch,
      committee: Object.fromEntries(committee),
      scheduled: Object.fromEntries(scheduled),
      registered: Object.fromEntries([...members].map(([each, { weight }]) => [each, weight])),
      verdicts: new Map([...members].map(([each, { verdict }]) => [each, verdict])),
      parameter: parameter.inForce,
    };
  }

  async #step(each: Step, timeMs: number, add: (transaction: Transaction, outcome: string | null) => void): Promise<void> {
    const { oracle } = this;
    if (each.do === 'propose') {
      const by = this.#pick(each.by);
      const transaction = await this.chain.transaction(this.#key(by), [await this.chain.proposing(this.#change(each.change))]);
      const outcome = oracle.propose(by, each.change, { timeMs, windowMs: WINDOW_MS, max: PROPOSALS_MAX });
      add(transaction, outcome);
      if (outcome !== null) return;
      this.#ids.push(proposalId(transaction.txId, 0));
      for (let other = 1; other <= each.support; other++)
        await this.#approve(this.#pick(each.by + other), this.#ids.length - 1, timeMs, add);
    } else if (each.do === 'approve') {
      if (this.#ids.length > 0) await this.#approve(this.#pick(each.by), each.proposal % this.#ids.length, timeMs, add);
    } else await this.#report(each, add);
  }

  async #approve(
    by: string,
    index: number,
    timeMs: number,
    add: (transaction: Transaction, outcome: string | null) => void,
  ): Promise<void> {
    const operation: Operation = { kind: 'proposal.approve', id: this.#ids[index] as Uint8Array };
    add(await this.chain.transaction(this.#key(by), [operation]), this.oracle.approve(by, index, timeMs));
  }

  async #report(
    { against, back }: Extract<Step, { do: 'evidence' }>,
    add: (transaction: Transaction, outcome: string | null) => void,
  ): Promise<void> {
    const height = Math.max(1, this.oracle.height - back);
    const { committee, epoch } = this.chain.ledger.epochOf(height) ?? unreached('the height is decided');
    const { address } = committee.validator(against % committee.size);
    const offender = this.#nameOf(address);
    const equivocation = await this.chain.equivocation(this.#key(offender), { height });
    const transaction = await this.chain.transaction(this.#key(this.#pick(0)), [{ kind: 'evidence', equivocation }]);
    add(transaction, this.oracle.evidence(offender, { height, epoch, id: `${offender}/${height}` }, EVIDENCE_EPOCHS));
  }

  #change(wanted: OracleChange): SetChange {
    if (wanted.kind === 'parameter') return { kind: 'parameters.change', name: 'keyBytesMax', value: wanted.value };
    const { signer, address } = this.#key(wanted.name);
    if (wanted.kind === 'join') return { kind: 'validator.join', address, publicKey: signer.publicKey, weight: wanted.weight };
    if (wanted.kind === 'weight') return { kind: 'validator.weight', address, weight: wanted.weight };
    return { kind: wanted.kind === 'leave' ? 'validator.leave' : 'validator.rehabilitate', address };
  }

  /** Somebody who serves: nobody else has a quota, so no block would hold what it says. */
  #pick(number: number): string {
    const names = [...this.oracle.committee.keys()].sort();
    return names[number % names.length] as string;
  }

  #canMiss(missing: string): boolean {
    const total = [...this.oracle.committee.values()].reduce((sum, weight) => sum + weight, 0);
    return 3 * (this.oracle.committee.get(missing) as number) < total;
  }

  #key(each: string): TestKey {
    return this.#keys.get(each) as TestKey;
  }

  #nameOf(address: Uint8Array): string {
    const found = [...this.#keys].find(([, key]) => toHex(key.address) === toHex(address));
    return found?.[0] ?? unreached('everyone has a name');
  }
}

test('over many epochs, whatever is proposed, approved, proven and missed, the set is what a naive account of the rules says', async () => {
  const decided = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 20, maxLength: 60 }), async (rounds) => {
      const model = await Model.create();
      for (const each of rounds) {
        const { actual, expected } = await model.round(each);
        expect(actual).toEqual(expected);
      }
      for (const {
        change: { kind },
        actsAt,
      } of model.oracle.proposals)
        if (actsAt !== null) decided.add(kind);
    }),
    { numRuns: 12 },
  );
  // A model that never decides anything agrees with everything.
  for (const kind of ['join', 'leave', 'weight', 'parameter']) expect(decided).toContain(kind);
}, 60_000);
