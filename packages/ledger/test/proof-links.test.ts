import { type Hash, toHex, utf8 } from '@nacre/base';
import { minimalCertificate } from '@nacre/consensus';
import { leafHash } from '@nacre/crypto';
import { type Checkpoint, genesisCheckpoint, type ProofTrust, type Proven, verifyProof } from '@nacre/ledger';
import { beforeAll, describe, expect, test } from 'vitest';
import { type ProofClaim, proofCodec } from '../src/proof.ts';
import { ChangingChain, type Members } from './support/changing-chain.ts';
import { fakeVerifier } from './support/fake-keys.ts';
import { reached, update } from './support/light-updates.ts';
import { TestChain } from './support/test-chain.ts';

const FOUR = ['a', 'b', 'c', 'd'];
/** Ten changes of the committee. */
const EPOCHS: readonly Members[] = Array.from({ length: 11 }, (_, epoch) =>
  [...FOUR, { name: 'e', key: `e/${epoch}`, weight: 990 }].slice(epoch % 2),
);
const FIRST: readonly Members[] = [FOUR, ...EPOCHS.slice(1)];

/** A claim that is true of a state, made by a ledger. */
let truth: { readonly claim: ProofClaim; readonly stateRoot: Hash };
let chain: ChangingChain;

beforeAll(async () => {
  const { chain: source, writer } = await TestChain.withService();
  await source.decide([await source.append(writer, [['key', 'value']])]);
  const bytes = await source.ledger.prove({ service: 'prices', index: 0 });
  const decoded = bytes.ok ? proofCodec.decode(bytes.value) : expect.unreachable();
  if (!decoded.ok) return expect.unreachable();
  truth = { claim: decoded.value.claim, stateRoot: source.ledger.tip.stateRoot };
  chain = await ChangingChain.create({ epochs: FIRST, stateRoot: truth.stateRoot });
});

interface Range {
  readonly fromHeight?: number;
  readonly height?: number;
}

/** The proof of the record as of a height, from the checkpoint of one below. */
function proof({ fromHeight = 0, height = chain.height }: Range = {}, of = chain): Uint8Array {
  const { header, certificate } = of.block(height);
  const { links } = of.links({ fromHeight, toHeight: height });
  return proofCodec.encode({ claim: truth.claim, links, header, certificate: minimalCertificate(of.committee(header.epoch), certificate) });
}

async function shown(bytes: Uint8Array, trust: ProofTrust = {}): Promise<Proven> {
  const verified = await verifyProof(chain.genesis, bytes, fakeVerifier, trust);
  return verified.ok ? verified.value : expect.unreachable(JSON.stringify(verified.error));
}

async function refusal(bytes: Uint8Array, trust: ProofTrust = {}): Promise<string> {
  const verified = await verifyProof(chain.genesis, bytes, fakeVerifier, trust);
  return verified.ok ? 'accepted' : verified.error.code;
}

/** Where a light client stands that has followed the chain to a height. */
function checkpointAt(toHeight: number, of = chain): Promise<Checkpoint> {
  return reached(of, update(of, { toHeight }));
}

describe('a proof from before and one from after ten changes of the committee', () => {
  test('verify from the genesis', async () => {
    expect(await shown(proof({ height: 2 }))).toMatchObject({ kind: 'included', asOf: { height: 2 } });
    const proven = await shown(proof());
    expect(proven).toMatchObject({ kind: 'included', asOf: { height: 33 }, checkpoint: { height: 33, epoch: 10 } });
    expect(proven.checkpoint.committee.hash).toEqual(chain.committee(10).hash);
  });

  test('verify from a checkpoint, with the links that come after it', async () => {
    for (const height of [1, 4, 17, 32]) {
      const checkpoint = await checkpointAt(height);
      const bytes = proof({ fromHeight: checkpoint.height });
      expect(await shown(bytes, { checkpoint })).toMatchObject({ asOf: { height: 33 }, checkpoint: { height: 33 } });
      if (height > 3) expect(await refusal(bytes)).toMatch(/^PROOF_/);
    }
  });

  test('as of the checkpoint itself', async () => {
    const checkpoint = await checkpointAt(17);
    expect(await shown(proof({ fromHeight: 17, height: 17 }), { checkpoint })).toMatchObject({ asOf: { height: 17 }, checkpoint });
  });

  test('has the bytes that other versions expect', () => {
    expect(toHex(leafHash(proof()))).toBe('409aa2f4d83bd47584d9fce33cca8895a3f186743b3416841097024480935385');
  });

  test('does not hold with a byte of a link changed', async () => {
    const bytes = proof({ height: 8 });
    expect(await refusal(bytes)).toBe('accepted');
    const accepted: number[] = [];
    for (let at = 0; at < bytes.length; at += 11) {
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      if ((await refusal(bytes)) === 'accepted') accepted.push(at);
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
    }
    expect(accepted).toEqual([]);
  }, 60_000);

  test('leads on: whoever has verified it needs fewer links for the next one', async () => {
    const { checkpoint } = await shown(proof({ height: 20 }));
    expect(await shown(proof({ fromHeight: checkpoint.height }), { checkpoint })).toMatchObject({ asOf: { height: 33 } });
    // The last block of a committee names the next one by its hash only, so one stays before it.
    const last = await shown(proof({ height: 21 }));
    expect(last).toMatchObject({ asOf: { height: 21 }, checkpoint: { height: 18, epoch: 6 } });
  });
});

describe('beside a checkpoint', () => {
  test('a proof from the genesis holds if it comes past the checkpoint', async () => {
    for (const height of [1, 4, 6, 17, 33]) {
      const checkpoint = await checkpointAt(height);
      expect(await shown(proof(), { checkpoint })).toMatchObject({ asOf: { height: 33 }, checkpoint: { height: 33 } });
    }
  });

  // @mutation packages/ledger/src/verify-proof.ts
  // - if (header.height < checkpoint.height)
  // + if (header.height < 0)
  test('a proof as of an earlier block is refused: nothing says that the block is in the chain of the checkpoint', async () => {
    const checkpoint = await checkpointAt(17);
    for (const height of [1, 16]) expect(await refusal(proof({ height }), { checkpoint })).toBe('PROOF_BEFORE_CHECKPOINT');
  });

  // @mutation packages/ledger/src/verify-proof.ts
  // - if (bytesEqual(reached.committee.hash, checkpoint.committee.hash)) return ok(checkpoint);
  // + if (reached.height >= 0) return ok(reached);
  // @mutation packages/ledger/src/verify-proof.ts
  // - if (reached.height > checkpoint.height || nextHeight <= checkpoint.height) return ok(reached);
  // + if (reached.height >= checkpoint.height || nextHeight <= checkpoint.height) return ok(reached);
  test('a history that old keys signed later is refused', async () => {
    // From the fourth epoch on, all that were validators before sign for another committee.
    const epochs = [...FIRST.slice(0, 4), ...FIRST.slice(4).map((): Members => ['thief'])];
    const forged = await ChangingChain.create({ epochs, stateRoot: truth.stateRoot, network: 'changing' });
    expect(forged.genesis.hash).toEqual(chain.genesis.hash);
    expect(await refusal(proof({}, forged))).toBe('accepted');
    for (const height of [13, 14, 15, 16, 17, 20]) {
      const checkpoint = await checkpointAt(height);
      expect(await refusal(proof({}, forged), { checkpoint }), `checkpoint ${checkpoint.height}`).toBe('PROOF_COMMITTEE');
    }
  });

  // @mutation packages/ledger/src/verify-proof.ts
  // - if (height === checkpoint.height && !bytesEqual(hash.value, checkpoint.blockHash)) return
  // + if (height < 0) return
  test('another block of the same height is refused', async () => {
    const checkpoint = await checkpointAt(17);
    const forged = await ChangingChain.create({ epochs: FIRST, stateRoot: truth.stateRoot, variant: 1 });
    expect(await refusal(proof({ height: 17 }, forged), { checkpoint })).toBe('PROOF_FORK');
    expect(await shown(proof({ height: 17 }), { checkpoint })).toMatchObject({ checkpoint: { height: 17 } });
    expect(await refusal(proof({ fromHeight: 17, height: 17 }, forged), { checkpoint })).toBe('PROOF_ORDER');
  });

  test('at the last block of a committee, the checkpoint stays ahead of the proof', async () => {
    const checkpoint = await checkpointAt(19);
    expect(checkpoint.height).toBe(19);
    const border = await reached(chain, { links: update(chain).links.slice(0, 6), head: null });
    expect(border.height).toBe(18);
    expect((await shown(proof({ height: 18 }), { checkpoint: border })).checkpoint).toBe(border);
  });

  // @mutation packages/ledger/src/verify-proof.ts
  // - const trusted = checkTrusted(checkpoint, genesis, trustPeriod);
  // + const trusted = ok(undefined);
  test('the trust period is that of the checkpoint, and of the genesis where there is none', async () => {
    const checkpoint = await checkpointAt(17);
    const periodMs = 1000;
    const at = (nowMs: number) => ({ trustPeriod: { periodMs, nowMs } });
    expect(await refusal(proof(), { checkpoint, ...at(checkpoint.timeMs + periodMs) })).toBe('accepted');
    expect(await refusal(proof(), { checkpoint, ...at(checkpoint.timeMs + periodMs + 1) })).toBe('CHECKPOINT_EXPIRED');
    expect(await refusal(proof(), at(chain.genesis.timeMs + periodMs))).toBe('accepted');
    expect(await refusal(proof(), at(chain.genesis.timeMs + periodMs + 1))).toBe('CHECKPOINT_EXPIRED');
  });

  // @mutation packages/ledger/src/verify-proof.ts
  // - if (!ahead.ok) return ahead;
  // +
  test('a proof from the future is refused', async () => {
    const nowMs = chain.block(33).header.timeMs - 60_001;
    expect(await refusal(proof(), { trustPeriod: { periodMs: 1e9, nowMs } })).toBe('PROOF_FROM_FUTURE');
  });
});

describe('a forged change of the committee', () => {
  test('makes no proof, wherever it stands', async () => {
    const decoded = proofCodec.decode(proof());
    if (!decoded.ok) return expect.unreachable();
    const { links } = decoded.value;
    for (const [index, link] of links.entries()) {
      const epoch = link.header.epoch;
      // The new committee alone says that it is the next one.
      const certificate = await chain.certify(
        link.header,
        chain.committee(epoch + 1),
        [0, 1, 2, 3].slice(0, link.certificate.commits.length),
      );
      const forged = { ...link, certificate };
      const bytes = proofCodec.encode({ ...decoded.value, links: links.map((honest, i) => (i === index ? forged : honest)) });
      expect(await refusal(bytes)).toMatch(/^(CERTIFICATE_|PROOF_CERTIFICATE)/);
      const without = proofCodec.encode({ ...decoded.value, links: links.filter((_, i) => i !== index) });
      expect(await refusal(without)).toMatch(/^PROOF_(COMMITTEE|LINK)/);
    }
  });

  test('leaves the proof of another claim as false as it was', async () => {
    const decoded = proofCodec.decode(proof());
    if (!decoded.ok || decoded.value.claim.kind !== 'included') return expect.unreachable();
    const { claim } = decoded.value;
    const bytes = proofCodec.encode({ ...decoded.value, claim: { ...claim, record: { ...claim.record, payload: utf8('other') } } });
    expect(await refusal(bytes, { checkpoint: genesisCheckpoint(chain.genesis) })).toBe('PROOF_CLAIM');
  });
});
