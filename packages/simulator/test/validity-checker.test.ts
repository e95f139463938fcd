import { utf8 } from '@nacre/base';
import { type Certificate, VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import { addressOf, taggedHash } from '@nacre/crypto';
import { Block, type Header, transactionsRoot } from '@nacre/ledger';
import { beforeEach, expect, test } from 'vitest';
import { EPOCH_MS } from '../src/cluster.ts';
import { SeededRandom } from '../src/random.ts';
import { SIMULATED_SCHEME, testKit } from '../src/signature-kit.ts';
import { ValidityChecker } from '../src/validity-checker.ts';

const hash = (name: string): Uint8Array => taggedHash('nacre/1/test', utf8(name));
const kit = testKit({ short: true });
const random = SeededRandom.fromSeed(1);
const keys = [1n, 1n, 1n, 3n].map((weight) => ({ weight, ...kit.newKey(random) }));
const members = keys.map(({ weight, signer }) => ({
  weight,
  publicKey: signer.publicKey,
  address: addressOf(SIMULATED_SCHEME, signer.publicKey),
}));
const chain = { genesisHash: hash('genesis'), chain: 0 };

let problems: string[] = [];
let checker: ValidityChecker;
beforeEach(() => {
  problems = [];
  checker = new ValidityChecker(
    { membersAt: () => members, chain, genesisHash: chain.genesisHash },
    { verifier: kit.verifier, report: (code, detail) => problems.push(`${code} ${detail}`) },
  );
});

function blockOf(changes: Partial<Header> = {}): Block {
  const zero = new Uint8Array(32);
  const header: Header = {
    ...{ genesisHash: chain.genesisHash, chain: 0, epoch: 0, height: 1, timeMs: EPOCH_MS, proposer: members[0]?.address as Uint8Array },
    ...{ parentHash: chain.genesisHash, parentCertificateDigest: zero, transactionsRoot: transactionsRoot([]), stateRoot: zero },
    ...{ committeeHash: zero, nextCommitteeHash: zero, historyRoot: zero, chain0Reference: { height: 0, hash: zero }, lateCommits: [] },
    ...changes,
  };
  return Block.assemble({ header, bodyHashes: [], parentCertificate: null, lateCommits: [] });
}

function certificateOf(block: Block, signers: readonly number[]): Certificate {
  const content = { height: block.header.height, round: 0, kind: 'commit' as const, blockHash: block.hash };
  const commits = signers.map((validator) => ({
    validator,
    signature: keys[validator]?.signNow(voteMessage(chain, content), VOTE_CONTEXT) as Uint8Array,
  }));
  return { height: content.height, round: 0, blockHash: block.hash, commits };
}

async function problemsOf(block: Block, certificate: Certificate | null): Promise<string[]> {
  checker.decided(0, block, { certificate, nowMs: 0 });
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  return problems;
}

test('a block with its certificate passes, and so does the next one', async () => {
  const first = blockOf();
  expect(await problemsOf(first, certificateOf(first, [0, 1, 3]))).toEqual([]);
  const second = blockOf({ height: 2, parentHash: first.hash, timeMs: EPOCH_MS + 1 });
  expect(await problemsOf(second, null)).toEqual([]);
});

// @mutation packages/simulator/src/validity-checker.ts
// - if (3n * weight <= 2n * totalWeight)
// + if (3n * weight < 2n * totalWeight)
test('a certificate of two thirds of the weight is too light', async () => {
  const block = blockOf();
  expect(await problemsOf(block, certificateOf(block, [0, 3]))).toEqual([expect.stringContaining('has weight 4 of 6')]);
});

// @mutation packages/simulator/src/validity-checker.ts
// - const signers = new Set(commits.map(({ validator }) => validator));
// + const signers = commits.map(({ validator }) => validator);
test('a signer counts once, however often it signs', async () => {
  const block = blockOf();
  expect(await problemsOf(block, certificateOf(block, [3, 3]))).toEqual([expect.stringContaining('has weight 3 of 6')]);
});

// @mutation packages/simulator/src/validity-checker.ts
// - if (!valid) this.#report
// + if (valid === null) this.#report
test('a false signature in a certificate is seen', async () => {
  const block = blockOf();
  const certificate = certificateOf(block, [0, 1, 3]);
  const spoiled = { ...certificate, commits: certificate.commits.map((commit) => ({ ...commit, signature: new Uint8Array(40) })) };
  expect(await problemsOf(block, spoiled)).toHaveLength(3);
});

test('a certificate for another block is seen', async () => {
  expect(await problemsOf(blockOf(), certificateOf(blockOf({ timeMs: EPOCH_MS + 5 }), [0, 1, 3]))).toEqual([
    expect.stringContaining('is for another block'),
  ]);
});

test.each([
  ['another parent', { parentHash: hash('other') }, 'names another parent'],
  ['a time before its parent', { timeMs: 0 }, 'its parent of'],
  ['a time in the future', { timeMs: EPOCH_MS + 1_001 }, 'and it is'],
  ['a stranger as its proposer', { proposer: hash('stranger') }, 'made by nobody in the committee'],
] as const)('a block with %s is seen', async (_, changes, problem) => {
  expect(await problemsOf(blockOf(changes), null)).toEqual([expect.stringContaining(problem)]);
});
