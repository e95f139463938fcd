/** Traces of the model in `model/`, replayed against the core: after every step both must show the same. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Committee } from '@nacre/consensus';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runQuint } from '../../scripts/model/quint.ts';
import { observeModel, ReplayedValidator } from './replayed-validator.ts';
import { type ModelState, readTrace } from './trace.ts';

/** Random traces by instance, and the weights of its validators. */
const EXPLORED = {
  four: { weights: [1, 1, 1, 1], traces: 30 },
  five: { weights: [3, 3, 3, 2, 1], traces: 15 },
  tooMany: { weights: [1, 1, 1, 1], traces: 10 },
};

const EVENTS = ['Work', 'HearVote', 'HearProposal', 'HearBlock', 'Built', 'HearCertificate', 'Expire', 'Restart'];

/** Printed with every difference, so that the same traces can be had again. */
const seed = `0x${Math.floor(Math.random() * 2 ** 40).toString(16)}`;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nacre-model-'));
}, 10_000);

afterAll(() => rm(directory, { recursive: true, force: true }));

function committeeOf(weights: readonly number[]): Committee {
  const created = Committee.create(
    weights.map((weight, index) => ({ address: new Uint8Array(32).fill(index), publicKey: new Uint8Array(8).fill(index), weight })),
  );
  if (!created.ok) throw new Error(created.error.code);
  return created.value;
}

interface Replayed {
  readonly traces: number;
  readonly steps: number;
  readonly events: ReadonlySet<string>;
  /** Rules of the model that have acted. */
  readonly acted: ReadonlySet<string>;
}

/** Replays all traces whose names begin with `name`. */
async function replayAll(name: string, weights: readonly number[]): Promise<Replayed> {
  const files = (await readdir(directory)).filter((file) => file.startsWith(`${name}_`));
  const committee = committeeOf(weights);
  const events = new Set<string>();
  const acted = new Set<string>();
  let steps = 0;
  for (const file of files) {
    const states = await readTrace(join(directory, file));
    steps += states.length - 1;
    replay(states, committee, `${file}, seed ${seed}`);
    for (const state of states) for (const [, event] of state.events) events.add(event.tag);
    for (const validator of states.at(-1)?.validators.values() ?? []) for (const rule of validator.acted) acted.add(rule);
  }
  return { traces: files.length, steps, events, acted };
}

function replay(states: readonly ModelState[], committee: Committee, where: string): void {
  const isQuorum = (validators: readonly number[]) => committee.isQuorum(committee.weightOf(validators));
  const [first] = states;
  const replayed = new Map([...(first?.validators.keys() ?? [])].map((index) => [index, new ReplayedValidator(committee, index)]));
  for (const [step, state] of states.entries()) {
    for (const [to, event] of state.events) replayed.get(to)?.apply(event);
    for (const [index, validator] of state.validators) {
      expect(replayed.get(index)?.observe(), `${where}, step ${step}, validator ${index}, after ${JSON.stringify(state.events)}`).toEqual(
        observeModel(validator, isQuorum),
      );
    }
  }
}

const replayed: Replayed[] = [];

// @mutation packages/consensus/src/core.ts
// - if (vote.kind === 'prepare') this.#rounds.justify(vote);
// +
test.each(['scenarios', 'faults'])(
  'the core goes the ways of the %s of the model',
  async (module) => {
    const written = await runQuint([
      'test',
      'scenarios.qnt',
      `--main=${module}`,
      `--out-itf=${join(directory, `${module}_{test}_{seq}.itf.json`)}`,
    ]);
    expect(written).toMatchObject({ code: 0 });
    replayed.push(await replayAll(module, [1, 1, 1, 1]));
    expect(replayed.at(-1)?.traces).toBeGreaterThan(1);
  },
  120_000,
);

test.each(Object.entries(EXPLORED))(
  'the core goes the ways that chance takes in the model: %s',
  async (module, { weights, traces }) => {
    const written = await runQuint([
      'run',
      'instances.qnt',
      `--main=${module}`,
      '--max-steps=28',
      `--max-samples=${traces}`,
      `--n-traces=${traces}`,
      `--seed=${seed}`,
      '--verbosity=0',
      `--out-itf=${join(directory, `${module}_{seq}.itf.json`)}`,
    ]);
    expect(written).toMatchObject({ code: 0 });
    replayed.push(await replayAll(module, weights));
    expect(replayed.at(-1)?.traces).toBe(traces);
  },
  120_000,
);

test('every event and every rule of the model was replayed', async () => {
  const model = await readFile(join(import.meta.dirname, '../../model/consensus.qnt'), 'utf8');
  const noted = [...model.matchAll(/\.note\((.*)/g)].flatMap(([, rest = '']) => [...rest.matchAll(/"([^"]+)"/g)]);
  const passedOn = [...model.matchAll(/awaitMore\("\w+", "(\d+)"\)/g)];
  const rules = new Set([...noted, ...passedOn].map(([, rule]) => rule));
  expect(rules.size).toBeGreaterThan(20);
  const seen = new Set(replayed.flatMap(({ events, acted }) => [...events, ...acted]));
  expect([...EVENTS, ...rules].filter((name) => !seen.has(name ?? ''))).toEqual([]);
});
