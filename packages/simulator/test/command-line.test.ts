import { expect, test } from 'vitest';
import { parseCommandLine } from '../src/command-line.ts';

const parse = (text: string) => parseCommandLine(text === '' ? [] : text.split(' '), FRESH);
const FRESH = 123_456_000;
const defaults = {
  ...{ seeds: 200, start: 1, fresh: false, scenario: null, validators: null, variant: null, variants: false, hashes: false },
  ...{ trace: false, quiet: false, results: null, resume: false, output: '.simulation', markdown: false, replay: null },
};

test.each([
  ['', defaults],
  ['--seeds 1000 --start 5 --quiet', { ...defaults, seeds: 1000, start: 5, quiet: true }],
  ['--seed 17 --nodes 7 --trace', { ...defaults, seeds: 1, start: 17, validators: 7, trace: true }],
  ['--fresh --seeds 300', { ...defaults, seeds: 300, start: FRESH, fresh: true }],
  ['--scenario byzantine-twins --variant lock-ignored', { ...defaults, scenario: 'byzantine-twins', variant: 'lock-ignored' }],
  ['--results r.jsonl --resume --output out', { ...defaults, results: 'r.jsonl', resume: true, output: 'out' }],
])('reads %j', (text, expected) => {
  expect(parse(text)).toEqual({ ok: true, value: expected });
});

test.each([
  ['--seeds', '--seeds takes'],
  ['--seeds 0', '--seeds takes'],
  ['--seeds 1e3', '--seeds takes'],
  ['--start -1', '--start and --seed take'],
  ['--seed x', '--start and --seed take'],
  ['--nodes 3', '--nodes takes'],
  ['--nodes 101', '--nodes takes'],
  ['--seed 1 --seeds 2', '--seed stands alone'],
  ['--trace', '--trace goes with --seed'],
  ['--fresh --start 1', '--fresh chooses'],
  ['--resume', '--resume goes with --results'],
  ['--scenario peace', 'there is no scenario peace'],
  ['--unknown 1', '--unknown is not an option'],
])('refuses %j and says why', (text, reason) => {
  expect(parse(text)).toEqual({ ok: false, error: expect.stringContaining(reason) });
});
