import { toHex } from '@nacre/base';
import { leafHash } from '@nacre/crypto';
import { type Checkpoint, genesisCheckpoint } from '@nacre/ledger';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LINKS_MAX } from '../src/link-limits.ts';
import { ChangingChain, type Member, type Members } from './support/changing-chain.ts';
import { advance, answer, reached, refusal, update, updateBytes } from './support/light-updates.ts';

const FOUR = ['a', 'b', 'c', 'd'];
/** One joins, none changes, one leaves, one rotates its key, one changes its weight. */
const EPOCHS: readonly Members[] = [
  FOUR,
  [...FOUR, 'e'],
  [...FOUR, 'e'],
  ['b', 'c', 'd', 'e'],
  ['b', 'c', 'd', { name: 'e', key: 'e/2' }],
  ['b', 'c', { name: 'd', weight: 900 }, { name: 'e', key: 'e/2' }],
];
const DAY_MS = 24 * 3600 * 1000;
/** How far a header may be ahead of the client's clock. */
const AHEAD_MS_MAX = 60_000;

/** The checkpoint of whoever was at a height of the chain, or as near to it as one gets. */
async function checkpointAt(chain: ChangingChain, toHeight: number): Promise<Checkpoint> {
  return toHeight === 0 ? genesisCheckpoint(chain.genesis) : reached(chain, update(chain, { toHeight }));
}

describe('a light client', () => {
  test('follows every change of the committee from the genesis to the tip', async () => {
    const chain = await ChangingChain.create({ epochs: EPOCHS });
    const checkpoint = await reached(chain, updateBytes(chain));
    expect(checkpoint).toMatchObject({ height: 18, epoch: 5, timeMs: chain.block(18).header.timeMs });
    expect(checkpoint.committee.hash).toEqual(chain.committee(5).hash);
    expect(update(chain).links.map(({ header }) => header.height)).toEqual([3, 9, 12, 15]);
  });

  // @mutation packages/ledger/src/make-proof.ts
  // - const head = decided === null || changesCommittee(decided.header) ? null : decided;
  // + const head = decided;
  // @mutation packages/ledger/src/committee-changes.ts
  // - epoch > first && epoch <= last
  // + epoch >= first && epoch <= last
  test('goes on from any place of the chain to any later one', async () => {
    const chain = await ChangingChain.create({ epochs: EPOCHS });
    // Where one gets to: the last block of a committee does not say who comes next, so there one waits for the block after it.
    const stands = (height: number): number => ({ 3: 0, 9: 3, 12: 9, 15: 12 })[height] ?? height;
    for (let height = 0; height < chain.height; height++) {
      const from = await checkpointAt(chain, height);
      expect(from.height).toBe(stands(height));
      for (let toHeight = height + 1; toHeight <= chain.height; toHeight++) {
        const to = await reached(chain, updateBytes(chain, { fromHeight: from.height, toHeight }), { from });
        expect(to.height).toBe(Math.max(from.height, stands(toHeight)));
        expect(to.committee.hash).toEqual(chain.committee(chain.epochOf(to.height + 1).epoch).hash);
      }
    }
  });

  test('is sent nothing, and stays, where nothing came after its checkpoint', async () => {
    const chain = await ChangingChain.create({ epochs: EPOCHS });
    const from = await checkpointAt(chain, 18);
    expect(answer(chain, { fromHeight: 18 })).toMatchObject({ ok: true, value: { isComplete: true } });
    expect(await reached(chain, updateBytes(chain, { fromHeight: 18 }), { from })).toBe(from);
    expect(answer(chain, { fromHeight: 18, toHeight: 17 })).toMatchObject({
      ok: false,
      error: { code: 'CHECKPOINT_AHEAD', fromHeight: 18, tipHeight: 17 },
    });
  });

  // @mutation packages/ledger/src/epoch-link.ts
  // - publicKey: isKnown ? new Uint8Array(0) : publicKey
  // + publicKey
  test('is sent a key once: who stays is named by its address', async () => {
    const chain = await ChangingChain.create({ epochs: EPOCHS });
    const keys = update(chain).links.map(({ validators }) => validators.filter(({ publicKey }) => publicKey.length > 0).length);
    expect(keys).toEqual([1, 0, 1, 0]);
  });

  // @mutation packages/ledger/src/make-proof.ts
  // - return { header, certificate: minimalCertificate(committeeAt(header.height), certificate) };
  // + return { header, certificate };
  test('is sent no more commits than decide', async () => {
    const chain = await ChangingChain.create({ epochs: EPOCHS });
    const { links, head } = update(chain);
    expect([...links, head].map((certified) => certified?.certificate.commits.length)).toEqual([3, 4, 3, 3, 3]);
  });

  test('has the bytes that other versions expect', async () => {
    const chain = await ChangingChain.create({ epochs: EPOCHS });
    expect(toHex(leafHash(updateBytes(chain)))).toBe('1108f144c42fd94501f0c85b5bee469c8c6ef915cf75124bd0701f38a3ee7f44');
  });

  // @mutation packages/ledger/src/committee-changes.ts
  // - if (links.length === LINKS_MAX || bytes > LINKS_BYTES_MAX) return { links, isComplete: false };
  // + if (bytes > LINKS_BYTES_MAX) return { links, isComplete: false };
  test('takes more updates where the changes do not fit into one', async () => {
    // Validators with equal weights take turns: every block is the last of its epoch.
    const epochs = Array.from({ length: LINKS_MAX + 40 }, (_, epoch) => [epoch % 2 === 0 ? 'a' : 'b']);
    const chain = await ChangingChain.create({ epochs, blocksPerEpoch: 1 });
    const first = answer(chain);
    expect(first).toMatchObject({ ok: true, value: { isComplete: false } });
    const between = await reached(chain, updateBytes(chain));
    expect(between.height).toBe(LINKS_MAX);
    const to = await reached(chain, updateBytes(chain, { fromHeight: between.height }), { from: between });
    expect(to.height).toBe(chain.height);
  }, 60_000);

  test('is sent no more bytes than one update may have', async () => {
    // One heavy validator and many light ones, all of which are new in every other epoch: a link of a hundred keys and one commit.
    const heavy: Member = { name: 'heavy', weight: 1_000_000 };
    const many = Array.from({ length: 99 }, (_, i) => `v${i}`);
    const epochs = Array.from({ length: 140 }, (_, epoch) => (epoch % 2 === 0 ? [heavy] : [heavy, ...many]));
    const chain = await ChangingChain.create({ epochs, blocksPerEpoch: 1 });
    const { links } = chain.links();
    expect(links.length).toBeGreaterThan(100);
    expect(links.length).toBeLessThan(139);
    expect(updateBytes(chain).length).toBeLessThan(8 * 1024 * 1024 + 64);
    const between = await reached(chain, updateBytes(chain));
    expect(between.height).toBe(links.length);
    expect((await reached(chain, updateBytes(chain, { fromHeight: between.height }), { from: between })).height).toBe(chain.height);
  }, 60_000);
});

describe('trust', () => {
  const periodMs = 14 * DAY_MS;

  // @mutation packages/ledger/src/trust-period.ts
  // - trust.nowMs - timeMs <= trust.periodMs
  // + trust.nowMs - timeMs <= 2 * trust.periodMs
  test('ends when the checkpoint is older than the trust period, whatever is sent', async () => {
    const chain = await ChangingChain.create({ epochs: EPOCHS });
    const from = await checkpointAt(chain, 5);
    const nowMs = from.timeMs + periodMs;
    const bytes = updateBytes(chain, { fromHeight: 5 });
    expect((await reached(chain, bytes, { from, trustPeriod: { periodMs, nowMs } })).height).toBe(18);
    const late = await advance(chain, bytes, { from, trustPeriod: { periodMs, nowMs: nowMs + 1 } });
    expect(late).toMatchObject({
      ok: false,
      error: { code: 'CHECKPOINT_EXPIRED', height: 5, ageMs: periodMs + 1, trustPeriodMs: periodMs },
    });
    expect((await reached(chain, bytes, { from })).height).toBe(18);
  });

  // @mutation packages/ledger/src/trust-period.ts
  // - timeMs - trust.nowMs <= CLOCK_DRIFT_MS_MAX
  // + timeMs - trust.nowMs <= trust.periodMs
  test('is not prolonged by a header from the future', async () => {
    const chain = await ChangingChain.create({ epochs: EPOCHS });
    const nowMs = chain.block(18).header.timeMs - AHEAD_MS_MAX;
    expect((await reached(chain, updateBytes(chain), { trustPeriod: { periodMs, nowMs } })).height).toBe(18);
    expect(await refusal(chain, updateBytes(chain), { trustPeriod: { periodMs, nowMs: nowMs - 1 } })).toBe('PROOF_FROM_FUTURE');
  });

  // @mutation packages/ledger/src/trust-period.ts
  // - if (!bytesEqual(checkpoint.genesisHash, genesis.hash)) return
  // + if (checkpoint.height < 0) return
  test('in a checkpoint of one network is none in another with the same validators', async () => {
    const [chain, other] = await Promise.all(
      ['one', 'other'].map((network) => ChangingChain.create({ epochs: EPOCHS, network })) as [
        Promise<ChangingChain>,
        Promise<ChangingChain>,
      ],
    );
    const from = await checkpointAt(other, 5);
    expect(from.committee.hash).toEqual(chain.committee(1).hash);
    expect(await refusal(chain, updateBytes(chain, { fromHeight: 5 }), { from })).toBe('CHECKPOINT_NETWORK');
  });
});

describe('no update is accepted', () => {
  test('that is cut, longer or random, and nothing is thrown', async () => {
    const chain = await ChangingChain.create({ epochs: EPOCHS });
    const bytes = updateBytes(chain);
    const cuts = fc.nat(bytes.length - 1).map((length) => bytes.slice(0, length));
    const longer = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((more) => new Uint8Array([...bytes, ...more]));
    const random = fc.uint8Array({ minLength: 1, maxLength: 400 });
    await fc.assert(
      fc.asyncProperty(fc.oneof(cuts, longer, random), async (given) => {
        expect((await advance(chain, given)).ok).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  test('with any byte changed, whatever the changes are that it carries', { timeout: 60_000 }, async () => {
    const member = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      generation: fc.nat(1),
      weight: fc.integer({ min: 900, max: 1100 }),
    });
    const members = fc
      .uniqueArray(member, { selector: ({ name }) => name, minLength: 1, maxLength: 5 })
      .map((list): Members => list.map(({ name, generation, weight }) => ({ name, weight, key: generation === 0 ? name : `${name}/2` })));
    // The genesis knows first keys only.
    const first = fc.subarray(FOUR, { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(first, fc.array(members, { maxLength: 6 })),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 100, maxLength: 100 }),
        async ([begin, later], flips) => {
          const chain = await ChangingChain.create({ epochs: [begin, ...later], blocksPerEpoch: 2 });
          const bytes = updateBytes(chain);
          const to = await reached(chain, bytes);
          expect(to.committee.hash).toEqual(chain.committee(later.length).hash);
          for (const [place, bits] of flips) {
            const changed = bytes.slice();
            const at = place % bytes.length;
            changed[at] = (changed[at] as number) ^ bits;
            expect(await refusal(chain, changed), `byte ${at}`).not.toBe('accepted');
          }
        },
      ),
      { numRuns: 20 },
    );
  });
});
