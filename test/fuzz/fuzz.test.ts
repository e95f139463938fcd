/** Decoders and the core under mutated input: a short run of each. The long one is `npm run fuzz`. */
import { beforeAll, expect, test } from 'vitest';
import { coreTarget } from './core-target.ts';
import { SourceCoverage } from './coverage.ts';
import { DECODERS, decoderTargets, exportedDecoders, NOT_FUZZED } from './decoders.ts';
import { type FuzzTarget, fuzz } from './fuzzer.ts';

/** Inputs of each target here. */
const INPUTS = 1000;
/** Counted in inputs and not in time; this is for a machine that does other things, too. */
const TIMEOUT_MS = 180_000;

const seed = Math.floor(Math.random() * 2 ** 32);
let targets: FuzzTarget[];

beforeAll(async () => {
  targets = await decoderTargets();
}, 60_000);

test('every export that is named like a decoder is fuzzed, or says why not', async () => {
  const expected = await exportedDecoders();
  expect([...Object.keys(DECODERS), ...Object.keys(NOT_FUZZED)]).toEqual(expect.arrayContaining(expected));
  expect(
    Object.keys(NOT_FUZZED).filter((name) => !expected.includes(name)),
    'gone',
  ).toEqual([]);
});

test(
  'mutated bytes are accepted in their one form or refused, and nothing is thrown',
  async () => {
    for (const target of targets) {
      const { finding, inputs } = await fuzz(target, { seed, isOver: (done) => done >= INPUTS });
      expect(finding, `${target.name}, seed ${seed}`).toBeNull();
      expect(inputs).toBeGreaterThanOrEqual(INPUTS);
    }
  },
  TIMEOUT_MS,
);

test('each target begins with something that it accepts, so that mutations get past its first checks', async () => {
  const never: string[] = [];
  for (const target of targets) {
    const { accepted } = await fuzz(target, { seed, isOver: () => true });
    if (accepted === 0) never.push(target.name);
  }
  expect(never).toEqual([]);
});

// @mutation packages/consensus/src/core.ts
// - if (expected && this.#signed.proposal < number) this.#propose(blockHash, -1);
// + if (expected) this.#propose(blockHash, -1);
// @mutation packages/consensus/src/core.ts
// - if (this.#step === 'propose' || current.done.prepareQuorum) return false;
// + if (this.#step === 'propose') return false;
test(
  'the core takes any events: it signs once at a place, locks go forward, and what it asks for is well-formed',
  async () => {
    const { finding } = await fuzz(coreTarget, { seed, isOver: (done) => done >= 8 * INPUTS });
    expect(finding, `seed ${seed}`).toBeNull();
  },
  TIMEOUT_MS,
);

test(
  'a bug behind three comparisons is found with the help of coverage, and not without',
  async () => {
    const isOver = (done: number) => done >= 200_000;
    using coverage = new SourceCoverage((url) => url.includes('planted-bug'));
    const { guardedByThreeBytes } = await import('./planted-bug.ts');
    const target: FuzzTarget = { name: 'planted', seeds: [new Uint8Array(8)], run: guardedByThreeBytes };
    const guided = await fuzz(target, { seed: 1, coverage, isOver });
    expect(guided.finding?.error).toBeInstanceOf(RangeError);
    expect(guided.corpus).toBe(3);
    expect((await fuzz(target, { seed: 1, isOver })).finding).toBeNull();
  },
  TIMEOUT_MS,
);
