import { type Hash, utf8 } from '@nacre/base';
import type { BenchmarkSuite } from '@nacre/base/benchmark';
import {
  Committee,
  Core,
  certificateCodec,
  certificateDigest,
  certificateFrom,
  decodeVote,
  encodeVote,
  roundStateCodec,
  type Vote,
  type VoteKind,
  voteMessage,
} from '@nacre/consensus';
import { sha256 } from '@nacre/crypto';

const HEIGHT = 8;
const BLOCK: Hash = sha256(utf8('block'));
const CONTEXT = { genesisHash: sha256(utf8('genesis')), chain: 0 };
const TIMEOUTS = { proposeMs: 1000, prepareMs: 500, commitMs: 500, growthMs: 100 };
const TIME = { precisionMs: 500, delayMs: 1000, delayGrowthMs: 500 };
/** ML-DSA-44, FIPS 204, Table 2. */
const SIGNATURE = new Uint8Array(2420).fill(7);

function committeeOf(weights: readonly number[]): Committee {
  const validators = weights.map((weight, index) => {
    const address = new Uint8Array(32).fill(index + 1);
    return { address, publicKey: address, weight };
  });
  const created = Committee.create(validators, { allowLargeWeights: true });
  if (!created.ok) throw new Error(created.error.code);
  return created.value;
}

function votesOf(kind: VoteKind, count: number): Vote[] {
  return Array.from({ length: count }, (_, validator) => ({
    height: HEIGHT,
    round: 0,
    kind,
    blockHash: Uint8Array.from(BLOCK),
    validator,
    signature: SIGNATURE,
  }));
}

/** One height without faults at one validator: a proposal, everyone's votes, the decision. Returns the events it took. */
function decideHeight(committee: Committee, prepares: readonly Vote[], commits: readonly Vote[]): number {
  const core = new Core({ height: HEIGHT, committee, self: 0, timeouts: TIMEOUTS, time: TIME });
  const proposer = committee.proposer(HEIGHT, 0);
  core.step({ kind: 'block', blockHash: BLOCK, valid: true });
  const proposal = { height: HEIGHT, round: 0, validRound: -1, blockHash: BLOCK, proposer, signature: SIGNATURE };
  core.step({ kind: 'proposal', proposal, header: { timeMs: 0, proposer }, arrivalMs: 0 });
  for (const votes of [prepares, commits]) for (const vote of votes) core.step({ kind: 'vote', vote });
  if (core.takeReady().decide === null) throw new Error('the height was not decided');
  return 2 + prepares.length + commits.length;
}

/** A core in the middle of a round, as peers meet it when they exchange round states. */
function halfway(committee: Committee, prepares: readonly Vote[]): Core {
  const core = new Core({ height: HEIGHT, committee, self: 0, timeouts: TIMEOUTS, time: TIME });
  for (const vote of prepares.slice(0, prepares.length / 2)) core.step({ kind: 'vote', vote });
  return core;
}

const suite: BenchmarkSuite = {
  name: 'consensus',
  async run(bench) {
    for (const size of [4, 100]) {
      const committee = committeeOf(new Array<number>(size).fill(1000));
      const prepares = votesOf('prepare', size);
      const commits = votesOf('commit', size);
      const perIteration = decideHeight(committee, prepares, commits);
      await bench.measure(`core step, a whole height, n = ${size}`, { unit: 'event', perIteration }, () =>
        decideHeight(committee, prepares, commits),
      );
      const core = halfway(committee, prepares);
      await bench.measure(`round state and its answer, n = ${size}`, { unit: 'exchange' }, () => core.votesMissingAt(core.roundState()));
      const certificate = certificateFrom(commits.slice(0, Math.floor((2 * size) / 3) + 1));
      const bytes = certificateCodec.encode(certificate);
      await bench.measure(`certificate decode, n = ${size} (${bytes.length} bytes)`, { unit: 'certificate' }, () =>
        certificateCodec.decode(bytes),
      );
      await bench.measure(`certificate digest, n = ${size}`, { unit: 'digest' }, () => certificateDigest(certificate));
      const state = roundStateCodec.encode(core.roundState());
      await bench.measure(`round state decode, n = ${size}`, { unit: 'state' }, () => roundStateCodec.decode(state));
    }
    const [vote] = votesOf('commit', 1) as [Vote];
    const bytes = encodeVote(vote);
    await bench.measure('vote encode', { unit: 'vote' }, () => encodeVote(vote));
    await bench.measure('vote decode', { unit: 'vote' }, () => decodeVote(bytes));
    await bench.measure('vote message', { unit: 'message' }, () => voteMessage(CONTEXT, vote));
    let height = 0;
    for (const [name, weights] of [
      ['4 equal', [1, 1, 1, 1]],
      ['100 different', Array.from({ length: 100 }, (_, index) => 1000 + 37 * index)],
    ] as const) {
      const committee = committeeOf(weights);
      await bench.measure(`proposer, ${name} weights`, { unit: 'choice' }, () => committee.proposer(height++, 0));
    }
  },
};

export default suite;
