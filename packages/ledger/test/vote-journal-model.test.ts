import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JOURNAL_FILE, type VoteJournal } from '../src/index.ts';
import { flipped, VoteJournalHome, voteEntry, votesIn } from './support/vote-journal-home.ts';

const HEIGHTS = [1, 2, 3, 4, 5, 6];

type Step =
  | { kind: 'append'; height: number; killAfter: number }
  | { kind: 'rotate'; keepAbove: number; killAfter: number }
  | { kind: 'restart'; powerCut: boolean };

/** More changes than an operation makes: it is not killed. */
const SURVIVES = 9;
const killAfter = fc.oneof(fc.constant(SURVIVES), fc.nat(3));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('append' as const), height: fc.constantFrom(...HEIGHTS), killAfter }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rotate' as const), keepAbove: fc.constantFrom(0, 1, 2, 3), killAfter }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const), powerCut: fc.boolean() }) },
);

/** A validator that restarts whenever an operation fails, and a naive list of what it may have sent. */
class Model {
  readonly home = new VoteJournalHome();
  journal: VoteJournal;
  /** Votes that may have been sent: their append resolved, or they were read at a start. */
  sent: { height: number; name: string }[] = [];
  readonly faults: string[] = [];
  #count = 0;

  private constructor(home: VoteJournalHome, journal: VoteJournal) {
    this.home = home;
    this.journal = journal;
  }

  static async create(): Promise<Model> {
    const home = new VoteJournalHome();
    await home.create();
    return new Model(home, await home.open());
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'restart') return this.restart(step.powerCut);
    this.home.killAfter(step.killAfter);
    try {
      if (step.kind === 'rotate') {
        await this.journal.rotate(step);
      } else if (step.height > this.journal.floorHeight) {
        const name = `${step.height}-${this.#count++}`;
        await this.journal.append(voteEntry(step.height, name));
        this.sent.push({ height: step.height, name });
      }
      this.home.revive();
    } catch {
      await this.restart(step.killAfter % 2 === 0);
    }
  }

  async restart(powerCut: boolean): Promise<void> {
    this.home.revive();
    if (powerCut) this.home.powerCut();
    this.journal = await this.home.open();
    if (this.journal.doubt !== null) this.faults.push(`in doubt: ${this.journal.doubt.code}`);
    this.check();
    this.sent = HEIGHTS.flatMap((height) => votesIn(this.journal, [height]).map((name) => ({ height, name })));
  }

  check(): void {
    const held = votesIn(this.journal, HEIGHTS);
    const needed = this.sent.filter(({ height }) => height > this.journal.floorHeight).map(({ name }) => name);
    for (const name of needed) if (!held.includes(name)) this.faults.push(`forgotten: ${name}`);
    if (new Set(held).size < held.length) this.faults.push('a vote stands twice');
  }
}

test('whatever is killed and cut off, no vote above the floor that may have been sent is forgotten', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const model = await Model.create();
      for (const step of steps) await model.take(step);
      model.check();
      expect(model.faults).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test('a journal damaged while the process was down is in doubt, or has forgotten no vote that may have been sent', async () => {
  const damage = fc.oneof(fc.record({ cutTo: fc.nat() }), fc.record({ flip: fc.nat(), mask: fc.integer({ min: 1, max: 255 }) }));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), damage, async (steps, damage) => {
      const model = await Model.create();
      for (const step of steps) await model.take(step);
      const file = model.home.journalFile;
      const damaged =
        'cutTo' in damage ? file.subarray(0, damage.cutTo % file.length) : flipped(file, damage.flip % file.length, damage.mask);
      model.home.directory.put(JOURNAL_FILE, damaged);
      model.journal = await model.home.open();
      if (model.journal.doubt === null) model.check();
      expect(model.faults).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
