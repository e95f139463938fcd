import type { Vote } from '@nacre/consensus';
import type { Header, LateCommit } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { altered } from './support/altered-block.ts';
import { TestChain } from './support/test-chain.ts';

describe('late commits', () => {
  /** Ten empty blocks, each certified by validators 0 to 2 only, and the commits that validator 3 has made since. */
  async function lagging() {
    const chain = await TestChain.create();
    const late: Vote[] = [];
    for (let height = 1; height <= 10; height++) {
      const candidate = chain.propose([]);
      await chain.ledger.apply(candidate, await chain.certificate(candidate, [0, 1, 2]));
      late.push(await chain.commit({ height, round: height % 3, blockHash: candidate.blockHash, validator: 3 }));
    }
    return { chain, late };
  }

  /** Checks a block that credits these, however wrongly. */
  function check(chain: TestChain, lateCommits: readonly LateCommit[], credited: Header['lateCommits']) {
    return chain.ledger.check(altered(chain.propose([]), { lateCommits: credited }, { lateCommits }), []);
  }
  const commit = (height: number, validator = 3): LateCommit => ({ height, validator, round: 0, signature: new Uint8Array(5) });

  // @mutation packages/ledger/src/participation.ts
  // - creditedHeight > height - parameters.lateCommitHeights
  // + creditedHeight > height - parameters.lateCommitHeights - 1
  // @mutation packages/ledger/src/participation.ts
  // - creditedHeight > height - parameters.lateCommitHeights
  // + creditedHeight > height - parameters.lateCommitHeights + 1
  test('of the eight heights before are credited, the parent by its certificate', async () => {
    const { chain, late } = await lagging();
    const proposed = chain.propose([], { lateCommits: late.toReversed() });
    expect(proposed.block.header.lateCommits).toEqual([3, 4, 5, 6, 7, 8, 9].map((height) => ({ height, validators: [3] })));
    expect(proposed.block.lateCommits.map(({ height, validator, round }) => [height, validator, round])).toEqual(
      [3, 4, 5, 6, 7, 8, 9].map((height) => [height, 3, height % 3]),
    );
    expect(chain.ledger.check(proposed.block, [])).toMatchObject({ ok: true });
    expect(await chain.ledger.verifyBlockSignatures(proposed.block)).toMatchObject({ ok: true });
    const isCredited = chain.ledger.creditedCommits();
    expect([isCredited(9, 2), isCredited(9, 3), isCredited(2, 3)]).toEqual([true, false, true]);
  });

  // @mutation packages/ledger/src/participation.ts
  // - if (credited === undefined) return
  // + if (height < 0) return
  test('of other heights are refused', async () => {
    const { chain } = await lagging();
    for (const height of [2, 10, 11]) {
      expect(check(chain, [commit(height)], [{ height, validators: [3] }])).toMatchObject({
        ok: false,
        error: { code: 'LATE_COMMITS_HEIGHT', height },
      });
    }
  });

  // @mutation packages/ledger/src/participation.ts
  // - if (validators.some((validator) => credited.includes(validator))) return
  // + if (height < 0) return
  test('are credited once', async () => {
    const { chain, late } = await lagging();
    expect(check(chain, [commit(9, 2)], [{ height: 9, validators: [2] }])).toMatchObject({
      ok: false,
      error: { code: 'LATE_COMMITS_CREDITED' },
    });
    const crediting = chain.propose([], { lateCommits: late.slice(7, 8) });
    await chain.ledger.apply(crediting, await chain.certificate(crediting));
    expect(chain.ledger.creditedCommits()(8, 3)).toBe(true);
    expect(chain.propose([], { lateCommits: late }).block.header.lateCommits.map(({ height }) => height)).toEqual([4, 5, 6, 7, 9, 10]);
    expect(check(chain, [commit(8)], [{ height: 8, validators: [3] }])).toMatchObject({
      ok: false,
      error: { code: 'LATE_COMMITS_CREDITED' },
    });
  });

  // @mutation packages/ledger/src/participation.ts
  // - if (height <= previousHeight) return
  // + if (height < previousHeight) return
  // @mutation packages/ledger/src/participation.ts
  // - if (height <= previousHeight) return
  // + if (height === previousHeight) return
  test('stand in one order', async () => {
    const { chain } = await lagging();
    for (const heights of [
      [9, 8],
      [8, 8],
    ] as const) {
      const credited = heights.map((height) => ({ height, validators: [3] }));
      expect(
        check(
          chain,
          heights.map((height) => commit(height)),
          credited,
        ),
      ).toMatchObject({ ok: false, error: { code: 'LATE_COMMITS_UNORDERED' } });
    }
  });

  // @mutation packages/ledger/src/participation.ts
  // - if (last === undefined || last >= info.committee.size) return
  // + if (last === undefined) return
  // @mutation packages/ledger/src/participation.ts
  // - if (last === undefined || last >= info.committee.size) return
  // + if (last !== undefined && last >= info.committee.size) return
  test('are of validators of the committee, and of one at least', async () => {
    const { chain } = await lagging();
    const refused = { ok: false, error: { code: 'LATE_COMMITS_VALIDATORS', height: 8 } };
    expect(check(chain, [commit(8, 4)], [{ height: 8, validators: [4] }])).toMatchObject(refused);
    expect(check(chain, [], [{ height: 8, validators: [] }])).toMatchObject(refused);
  });

  // @mutation packages/ledger/src/participation.ts
  // - if (count > parameters.lateCommitsMax)
  // + if (count > parameters.lateCommitsMax + 1)
  // @mutation packages/ledger/src/select-late-commits.ts
  // - if (byValidator.size + lateCommits.length < lateCommitsMax)
  // + if (byValidator.size < lateCommitsMax)
  test('are bounded', async () => {
    const chain = await TestChain.create({ parameters: { lateCommitsMax: 1 } });
    const late: Vote[] = [];
    for (let height = 1; height <= 3; height++) {
      const candidate = chain.propose([]);
      await chain.ledger.apply(candidate, await chain.certificate(candidate, [0, 1, 2]));
      late.push(await chain.commit({ height, round: 0, blockHash: candidate.blockHash, validator: 3 }));
    }
    expect(chain.propose([], { lateCommits: late }).block.header.lateCommits).toEqual([{ height: 1, validators: [3] }]);
    const credited = [1, 2].map((height) => ({ height, validators: [3] }));
    expect(check(chain, [commit(1), commit(2)], credited)).toMatchObject({
      ok: false,
      error: { code: 'LATE_COMMITS_TOO_MANY', count: 2, max: 1 },
    });
  });

  test('that are no commits for the decided block are left out by the proposer', async () => {
    const { chain, late } = await lagging();
    const vote = late[8] as Vote;
    const wrong: Vote[] = [
      { ...vote, kind: 'prepare' },
      { ...vote, blockHash: null },
      { ...vote, blockHash: new Uint8Array(32).fill(1) },
      { ...vote, height: 1 },
    ];
    expect(chain.propose([], { lateCommits: wrong }).block.lateCommits).toEqual([]);
  });

  // @mutation packages/ledger/src/verify-block-signatures.ts
  // - return valid ? ok(undefined) :
  // + return valid || height > 0 ? ok(undefined) :
  test('are verified apart, over the decided block of their height', async () => {
    const { chain, late } = await lagging();
    const { block } = chain.propose([], { lateCommits: late.slice(7, 8) });
    const [real] = block.lateCommits as [LateCommit];
    const verdict = (lateCommit: LateCommit, header: Partial<Header> = {}) =>
      chain.ledger.verifyBlockSignatures(altered({ block }, header, { lateCommits: [lateCommit] }));
    expect(await verdict(real)).toEqual({ ok: true, value: undefined });
    const refused = { ok: false, error: { code: 'LATE_COMMIT_SIGNATURE', height: 8, validator: 3 } };
    expect(await verdict({ ...real, round: real.round + 1 })).toMatchObject(refused);
    expect(await verdict({ ...real, signature: late[6]?.signature as Uint8Array })).toMatchObject(refused);
    const unknown = { ok: false, error: { code: 'LATE_COMMIT_UNKNOWN' } };
    expect(await verdict({ ...real, height: 11 }, { lateCommits: [{ height: 11, validators: [3] }] })).toMatchObject(unknown);
    expect(await verdict({ ...real, validator: 4 }, { lateCommits: [{ height: 8, validators: [4] }] })).toMatchObject(unknown);
  });
});
