import { beforeAll, describe, expect, test } from 'vitest';
import { type EpochLink, makeLink } from '../src/epoch-link.ts';
import { blockHash, type Header } from '../src/header.ts';
import type { LightUpdate } from '../src/light-update.ts';
import { ChangingChain, type Members } from './support/changing-chain.ts';
import { advance, refusal, update } from './support/light-updates.ts';

const FOUR = ['a', 'b', 'c', 'd'];
/** Four validators; a fifth; a sixth instead of the first; a new key for the second; then it stays so. */
const EPOCHS: readonly Members[] = [
  FOUR,
  [...FOUR, 'e'],
  ['b', 'c', 'd', 'e', 'f'],
  [{ name: 'b', key: 'b/2' }, 'c', 'd', 'e', 'f'],
  [{ name: 'b', key: 'b/2' }, 'c', 'd', 'e', 'f'],
];

let chain: ChangingChain;
let honest: LightUpdate;

beforeAll(async () => {
  chain = await ChangingChain.create({ epochs: EPOCHS });
  honest = update(chain);
});

/** The honest update with one of its links changed. */
function withLink(index: number, change: Partial<EpochLink>): LightUpdate {
  return { ...honest, links: honest.links.map((link, i) => (i === index ? { ...link, ...change } : link)) };
}

/** A link by commits of one's choice, from the header as it is or changed, into any committee. */
async function forgedLink(options: {
  readonly epoch: number;
  readonly header?: Partial<Header>;
  readonly signers?: readonly number[];
  readonly committee?: number;
  readonly into?: number;
}): Promise<EpochLink> {
  const { epoch, committee = epoch, into = epoch + 1 } = options;
  const header = { ...chain.block(chain.lastOf(epoch)).header, ...options.header };
  const certificate = await chain.certify(header, chain.committee(committee), options.signers);
  return makeLink({ header, certificate }, chain.committee(epoch), chain.committee(into));
}

test('the honest chain, of which each test changes something, is accepted', async () => {
  expect(honest.links.map(({ header }) => header.height)).toEqual([3, 6, 9]);
  expect(await refusal(chain, honest)).toBe('accepted');
});

describe('a change of the committee is refused', () => {
  // @mutation packages/ledger/src/certified-header.ts
  // - if (!verified.ok) return verified;
  // +
  test('that too few of the old committee decided', async () => {
    expect(await refusal(chain, withLink(1, await forgedLink({ epoch: 1, signers: [0, 1, 2, 3] })))).toBe('accepted');
    expect(await refusal(chain, withLink(1, await forgedLink({ epoch: 1, signers: [0, 1, 2] })))).toBe('CERTIFICATE_WEIGHT');
  });

  test('that the new committee decided', async () => {
    const signers = [0, 1, 2, 3];
    expect(await refusal(chain, withLink(1, await forgedLink({ epoch: 1, committee: 2, signers })))).toBe('CERTIFICATE_SIGNATURE');
  });

  // @mutation packages/ledger/src/certified-header.ts
  // - if (!bytesEqual(header.committeeHash, committee.hash)) return
  // + if (header.height === 0) return
  test('whose header names the new committee as the one that decides it', async () => {
    const header = { committeeHash: chain.committee(3).hash };
    const link = await forgedLink({ epoch: 1, header, signers: [0, 1, 2, 3] });
    expect(await refusal(chain, withLink(1, link))).toBe('PROOF_COMMITTEE');
  });

  test('that is signed with a key that its validator had retired', async () => {
    // Epochs 3 and 4 have one committee; a link out of it, with the commits of the committee before the rotation.
    const header = { ...chain.block(12).header, nextCommitteeHash: chain.committee(0).hash };
    const certificate = await chain.certify(header, chain.committee(2), [0, 1, 2, 3]);
    const link = makeLink({ header, certificate }, chain.committee(3), chain.committee(0));
    const rotated = chain
      .committee(2)
      .validators.findIndex(({ publicKey }, index) => String(publicKey) !== String(chain.committee(3).validator(index).publicKey));
    expect(await advance(chain, { links: [...honest.links, link], head: null })).toMatchObject({
      ok: false,
      error: { code: 'CERTIFICATE_SIGNATURE', validator: rotated },
    });
  });

  // @mutation packages/ledger/src/certified-header.ts
  // - if (!bytesEqual(header.genesisHash, context.genesisHash) || header.chain !== context.chain)
  // + if (header.chain !== context.chain)
  test('of another network with the same validators', async () => {
    const other = await ChangingChain.create({ epochs: EPOCHS, network: 'other' });
    expect(other.committee(1).hash).toEqual(chain.committee(1).hash);
    expect(await refusal(chain, update(other))).toBe('PROOF_NETWORK');
    // And a header of the other network with commits that were made for this one.
    const { header } = other.block(3);
    const certificate = await chain.certify(header, chain.committee(0), [0, 1, 2]);
    expect(await refusal(chain, withLink(0, { header, certificate }))).toBe('PROOF_NETWORK');
  });

  // @mutation packages/ledger/src/certified-header.ts
  // - if (!bytesEqual(header.genesisHash, context.genesisHash) || header.chain !== context.chain)
  // + if (!bytesEqual(header.genesisHash, context.genesisHash))
  test('of another chain', async () => {
    expect(await refusal(chain, withLink(0, await forgedLink({ epoch: 0, header: { chain: 1 }, signers: [0, 1, 2] })))).toBe(
      'PROOF_NETWORK',
    );
  });

  // @mutation packages/ledger/src/epoch-link.ts
  // - if (!changesCommittee(header)) return refuse('the committee does not change');
  // +
  test('from a block that is not the last of its committee', async () => {
    const { header } = chain.block(2);
    const before = { header, certificate: await chain.certify(header, chain.committee(0), [0, 1, 2]) };
    const link = makeLink(before, chain.committee(0), chain.committee(0));
    expect(await refusal(chain, { ...honest, links: [link, ...honest.links] })).toBe('PROOF_LINK: the committee does not change');
    const into = makeLink(before, chain.committee(0), chain.committee(1));
    expect(await refusal(chain, { ...honest, links: [into, ...honest.links.slice(1)] })).toBe('PROOF_LINK: the committee does not change');
  });

  // @mutation packages/ledger/src/certified-header.ts
  // - certificate.height !== height || !bytesEqual(certificate.blockHash, hash)
  // + certificate.height !== height
  test('with the certificate of another block', async () => {
    const other = { ...chain.block(3).header, timeMs: chain.block(3).header.timeMs + 1 };
    const certificate = await chain.certify(other, chain.committee(0), [0, 1, 2]);
    expect(await refusal(chain, withLink(0, { certificate }))).toBe('PROOF_CERTIFICATE: for another block');
  });

  // @mutation packages/ledger/src/certified-header.ts
  // - return isMinimal(committee, certificate) ? ok(hash) : refuse('a signer that is not needed');
  // + return ok(hash);
  test('with a commit that is not needed', async () => {
    expect(await refusal(chain, withLink(0, await forgedLink({ epoch: 0 })))).toBe('PROOF_CERTIFICATE: a signer that is not needed');
  });
});

describe('a committee is refused', () => {
  const problem = 'PROOF_LINK: not the committee that the header names';

  // @mutation packages/ledger/src/epoch-link.ts
  // - if (!created.ok || !bytesEqual(created.value.hash, header.nextCommitteeHash)) return null;
  // + if (!created.ok) return null;
  test('that is not the one which the header names', async () => {
    expect(await refusal(chain, withLink(0, await forgedLink({ epoch: 0, into: 2, signers: [0, 1, 2] })))).toBe(problem);
    const { validators } = honest.links[0] as EpochLink;
    expect(await refusal(chain, withLink(0, { validators: validators.slice(1) }))).toBe(problem);
    expect(await refusal(chain, withLink(0, { validators: [] }))).toBe(problem);
    expect(await refusal(chain, withLink(0, { validators: validators.map((v) => ({ ...v, weight: v.weight + 1 })) }))).toBe(problem);
    expect(await refusal(chain, withLink(0, { validators: validators.map((v) => ({ ...v, weight: 0 })) }))).toBe(problem);
  });

  // @mutation packages/ledger/src/epoch-link.ts
  // - return isCanonical ? created.value : null;
  // + return created.value;
  test('that is written in another way', async () => {
    const link = honest.links[0] as EpochLink;
    expect(await refusal(chain, withLink(0, { validators: link.validators.toReversed() }))).toBe(problem);
    // With a key that is known already.
    const validators = link.validators.map((validator, index) => ({ ...validator, ...chain.committee(1).validator(index) }));
    expect(await refusal(chain, withLink(0, { validators }))).toBe(problem);
  });

  test('with a key left out that is not known, or is not the one before', async () => {
    for (const index of [0, 2]) {
      const link = honest.links[index] as EpochLink;
      const validators = link.validators.map((validator) => ({ ...validator, publicKey: new Uint8Array(0) }));
      expect(await refusal(chain, withLink(index, { validators }))).toBe(problem);
    }
  });
});

describe('a chain of changes is refused', () => {
  test('that leaves one out, repeats one, or has them in another order', async () => {
    const [first, second, third] = honest.links as [EpochLink, EpochLink, EpochLink];
    const links = async (...list: EpochLink[]) => refusal(chain, { ...honest, links: list });
    expect(await links(first, second, third)).toBe('accepted');
    // A link says which keys it takes as known, so most of these do not even describe a committee.
    for (const list of [
      [second, third],
      [first, third],
      [first, first, second, third],
      [second, first, third],
      [third, second, first],
    ])
      expect(await links(...list)).toMatch(/^PROOF_(LINK|COMMITTEE)/);
    expect(await links(first, second)).toBe('PROOF_COMMITTEE');
    expect(await links()).toBe('PROOF_COMMITTEE');
  });

  // @mutation packages/ledger/src/certified-header.ts
  // - return header.height > height && header.timeMs > timeMs && header.epoch >= epoch;
  // + return header.timeMs > timeMs && header.epoch >= epoch;
  // @mutation packages/ledger/src/certified-header.ts
  // - return header.height > height && header.timeMs > timeMs && header.epoch >= epoch;
  // + return header.height > height && header.epoch >= epoch;
  // @mutation packages/ledger/src/certified-header.ts
  // - return header.height > height && header.timeMs > timeMs && header.epoch >= epoch;
  // + return header.height > height && header.timeMs > timeMs;
  test('that goes back in height, time or epoch', async () => {
    const { header } = chain.block(6);
    for (const change of [{ height: 3 }, { height: 2 }, { timeMs: chain.block(3).header.timeMs }, { epoch: 0 }]) {
      const changed = { ...header, ...change };
      const certificate = await chain.certify(changed, chain.committee(1), [0, 1, 2, 3]);
      expect(await refusal(chain, withLink(1, { header: changed, certificate }))).toBe('PROOF_ORDER');
    }
  });

  test('that goes round: the way back is as long as the way there', async () => {
    const round = await ChangingChain.create({ epochs: [FOUR, [...FOUR, 'e'], FOUR] });
    const { links, head } = update(round);
    expect(links.length).toBe(2);
    expect(await refusal(round, { links: [...links, ...links], head })).toBe('PROOF_ORDER');
    // Left out as a whole, it takes nothing away: the committee at the end is the one at the beginning, and it is what decided the head.
    expect(await refusal(round, { links: [], head })).toBe('accepted');
  });
});

describe('a head is refused', () => {
  // @mutation packages/ledger/src/advance-checkpoint.ts
  // - return changesCommittee(header) ? null :
  // + return height < 0 ? null :
  test('after which another committee decides, which it does not name', async () => {
    const { header } = chain.block(3);
    const head = { header, certificate: await chain.certify(header, chain.committee(0), [0, 1, 2]) };
    expect(await refusal(chain, { links: [], head })).toBe('PROOF_LINK: the committee changes, and the next one is not there');
  });

  test('that its committee has not decided, or another one', async () => {
    const { header } = chain.block(15);
    for (const [signers, code] of [
      [[0, 1], 'CERTIFICATE_WEIGHT'],
      [[0, 1, 2, 3, 4], 'PROOF_CERTIFICATE: a signer that is not needed'],
    ] as const) {
      const head = { header, certificate: await chain.certify(header, chain.committee(4), signers) };
      expect(await refusal(chain, { ...honest, head })).toBe(code);
    }
    const changed = { ...header, height: 16 };
    const head = { header: changed, certificate: { ...(honest.head?.certificate ?? expect.unreachable()), blockHash: blockHash(changed) } };
    expect(await refusal(chain, { ...honest, head })).toBe('PROOF_CERTIFICATE: for another block');
  });
});
