/**
 * What a height costs by the size of the committee: messages, bytes, signatures and CPU, counted while real cores decide over a
 * loss-free network in memory, and the latency that follows over round trips between regions.
 *
 * Usage: npm run cost [-- --sizes 4,7,16,31,64,100] [--transactions N] [--uplink MBIT]
 */
import { parseArgs } from 'node:util';
import { SIGNATURE_BYTES_MAX } from '@nacre/base';
import { VOTE_BYTES_MAX } from '@nacre/consensus';
import { distanceMs, REGIONS, type Region } from '@nacre/simulator';
import { describeMachine } from './bench/machine.ts';
import { CommitteeRun, type HeightFigures } from './cost/committee-run.ts';
import { measureUnitCosts } from './cost/unit-costs.ts';

/** Bytes per ms in one Mbit/s. */
const BYTES_PER_MS_AND_MBIT = 125;

/** ML-DSA-44. FIPS 204, Table 2. */
const SIGNATURE_BYTES = 2420;
/** One vote in its frame on the wire: length, version and kind, the offsets of a list of one, and the vote. */
const VOTE_FRAME_BYTES = 4 + 2 + 8 + VOTE_BYTES_MAX - SIGNATURE_BYTES_MAX + SIGNATURE_BYTES;
/** A header, and the fixed fields of a block and a proposal around it. */
const HEADER_BYTES = 600;

/** What the committee sends for a height by the formula; its signatures are those of the parent's commits, in time or late. */
function formulaBytes(validators: number): number {
  const proposalBytes = HEADER_BYTES + SIGNATURE_BYTES + 32 * transactionsPerBlock + validators * (SIGNATURE_BYTES + 4);
  return 2 * validators * (validators - 1) * VOTE_FRAME_BYTES + (validators - 1) * proposalBytes;
}

/** Narrowest column, in characters. */
const COLUMN_MIN = 7;

const PLACES: readonly { readonly name: string; readonly regions: readonly Region[] }[] = [
  { name: 'one region', regions: ['frankfurt'] },
  { name: 'Europe, US', regions: ['frankfurt', 'london', 'washington', 'dallas'] },
  { name: 'world', regions: REGIONS },
];

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '4,7,16,31,64,100' },
    transactions: { type: 'string', default: '100' },
    uplink: { type: 'string', default: '1000' },
  },
});
const sizes = values.sizes.split(',').map(Number);
const transactionsPerBlock = Number(values.transactions);
const uplinkMbit = Number(values.uplink);
if (sizes.some((size) => !Number.isInteger(size) || size < 4 || size > 100)) throw new Error('--sizes: 4 to 100 validators each');
if (!(transactionsPerBlock >= 0 && uplinkMbit > 0)) throw new Error('--transactions and --uplink are numbers');

for (const line of describeMachine()) console.log(line);
const costs = await measureUnitCosts();
const micro = (ms: number): string => `${(1000 * ms).toFixed(ms < 0.01 ? 1 : 0)} µs`;
console.log(
  `sign ${micro(costs.signMs)}, verify ${micro(costs.verifyMs)}, decode a vote ${micro(costs.decodeVoteMs)}, sync ${micro(costs.syncMs)}`,
);
console.log(`${transactionsPerBlock} transactions in a block, ${uplinkMbit} Mbit/s from each validator\n`);

const columns = [
  'n',
  'messages',
  '2n²−n−1',
  'MB',
  'formula',
  'proposal KB',
  'verify/validator',
  '2n−1',
  'CPU ms/validator',
  ...PLACES.map(({ name }) => `ms, ${name}`),
];
const widths = columns.map((column) => Math.max(column.length, COLUMN_MIN) + 2);
console.log(columns.map((column, index) => column.padStart(widths[index] as number)).join(''));
for (const validators of sizes) {
  let figures: HeightFigures | undefined;
  const latencies: number[] = [];
  let cpuMs = 0;
  for (const { regions } of PLACES) {
    const regionOf = (index: number): Region => regions[index % regions.length] as Region;
    const run = new CommitteeRun({
      validators,
      transactionsPerBlock,
      uplinkBytesPerMs: uplinkMbit * BYTES_PER_MS_AND_MBIT,
      distanceMs: (from, to) => distanceMs(regionOf(from), regionOf(to)),
      costs,
    });
    const before = process.cpuUsage();
    const one = await run.run();
    const { user, system } = process.cpuUsage(before);
    // The last place stands for all: what is counted differs only in which commits were late.
    cpuMs = (user + system) / 1000 / run.lastHeight / validators;
    latencies.push(one.latencyMs);
    figures = one;
  }
  if (figures === undefined) continue;
  const cells = [
    validators,
    figures.messages,
    2 * validators ** 2 - validators - 1,
    (figures.bytes / 1e6).toFixed(2),
    (formulaBytes(validators) / 1e6).toFixed(2),
    (figures.proposalBytes / 1000).toFixed(1),
    (figures.verifications / validators).toFixed(1),
    2 * validators - 1,
    cpuMs.toFixed(1),
    ...latencies.map((ms) => ms.toFixed(1)),
  ];
  console.log(cells.map((cell, index) => String(cell).padStart(widths[index] as number)).join(''));
}
