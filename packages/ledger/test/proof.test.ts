import { PROVE_ATTEMPTS_MAX, toHex, utf8 } from '@nacre/base';
import { leafHash, PageCache, pageKey, portableSigner, portableVerifier, proveKey, sha256 } from '@nacre/crypto';
import { createGenesis, genesisCheckpoint, type Proven, verifyProof } from '@nacre/ledger';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { statePageKey } from '../src/keys.ts';
import { PROOF_BYTES_MAX, type Proof, proofCodec } from '../src/proof.ts';
import { recordCodec } from '../src/record.ts';
import { LATEST_RECORD, stateValueHash } from '../src/state-kinds.ts';
import { fakeVerifier } from './support/fake-keys.ts';
import { appendOf, definition, TestChain } from './support/test-chain.ts';

type Wanted = { readonly service?: string } & ({ readonly index: number } | { readonly key: string });

async function prove(chain: TestChain, wanted: Wanted): Promise<Uint8Array> {
  const proof = await chain.ledger.prove({ service: 'prices', ...wanted });
  return proof.ok ? proof.value : expect.unreachable(proof.error.code);
}

async function shown(chain: TestChain, bytes: Uint8Array): Promise<Proven> {
  const verified = await verifyProof(chain.genesis, bytes, chain.verifier);
  return verified.ok ? verified.value : expect.unreachable(verified.error.code);
}

/** Fifty records, some under keys, in a chain of six blocks with a second service. */
async function filled(options: Parameters<typeof TestChain.withService>[0] = {}) {
  const { chain, writer } = await TestChain.withService(options);
  await chain.decide([await chain.transaction(writer, [{ kind: 'service.create', ...definition('other', writer) }])]);
  const records = Array.from({ length: 25 }, (_, i) => [i % 2 === 0 ? '' : `key${i % 10}`, `first ${i}`] as const);
  await chain.decide([await chain.append(writer, records)]);
  await chain.decide([await chain.transaction(writer, [appendOf('prices', records), appendOf('other', [['only here', 'x']])])]);
  await chain.decide([]);
  return { chain, writer };
}

const kinds: [kind: string, wanted: Wanted][] = [
  ['included', { index: 30 }],
  ['latest', { key: 'key7' }],
  ['absent', { key: 'only here' }],
];

describe('a proof', () => {
  test('shows a record with all that is known of it', async () => {
    const { chain } = await filled();
    const proven = await shown(chain, await prove(chain, { index: 30 }));
    const { height, timeMs, blockHash } = chain.ledger.tip;
    const [record] = (await chain.ledger.records({ service: 'prices', fromIndex: 30, limit: 1 })).records;
    const checkpoint = { ...genesisCheckpoint(chain.genesis), height, timeMs, blockHash };
    expect(proven).toEqual({ kind: 'included', service: 'prices', record, asOf: { height, timeMs }, blockHash, checkpoint });
    expect(record).toMatchObject({ index: 30, height: 5, payload: utf8('first 5') });
  });

  test('shows every record, whatever the shape of its log', async () => {
    const { chain } = await filled();
    for (let index = 0; index < 50; index++)
      expect(await shown(chain, await prove(chain, { index }))).toMatchObject({ kind: 'included', record: { index } });
    expect(await shown(chain, await prove(chain, { service: 'other', index: 0 }))).toMatchObject({
      record: { service: 'other', key: 'only here' },
    });
  });

  test('shows the latest record under a key, as of its block', async () => {
    const { chain, writer } = await filled();
    const before = await prove(chain, { key: 'key7' });
    expect(await shown(chain, before)).toMatchObject({ kind: 'latest', key: 'key7', record: { index: 42 }, asOf: { height: 6 } });
    await chain.decide([await chain.append(writer, [['key7', 'newer']])]);
    expect(await shown(chain, before)).toMatchObject({ record: { index: 42 }, asOf: { height: 6 } });
    expect(await shown(chain, await prove(chain, { key: 'key7' }))).toMatchObject({ record: { index: 50 }, asOf: { height: 7 } });
  });

  test('shows that a key has no record, until it has one', async () => {
    const { chain, writer } = await filled();
    const before = await prove(chain, { key: 'new' });
    expect(await shown(chain, before)).toMatchObject({ kind: 'absent', service: 'prices', key: 'new', asOf: { height: 6 } });
    await chain.decide([await chain.append(writer, [['new', 'x']])]);
    expect(await shown(chain, await prove(chain, { key: 'new' }))).toMatchObject({ kind: 'latest' });
    expect(await shown(chain, before)).toMatchObject({ kind: 'absent', asOf: { height: 6 } });
    expect(await shown(chain, await prove(chain, { service: 'nowhere', key: 'new' }))).toMatchObject({
      kind: 'absent',
      service: 'nowhere',
    });
  });

  test('shows the absence of many keys, in empty places and in others', async () => {
    const { chain, writer } = await filled();
    // Enough keys that the state has branches, and few enough that some of their children are empty.
    await chain.decide([
      await chain.append(
        writer,
        Array.from({ length: 26 }, (_, i) => [`some ${i}`, 'x'] as const),
      ),
    ]);
    await chain.decide([]);
    const others = new Set<boolean>();
    for (let i = 0; i < 40; i++) {
      const proof = await prove(chain, { key: `none ${i}` });
      expect(await shown(chain, proof)).toMatchObject({ kind: 'absent', key: `none ${i}` });
      const decoded = proofCodec.decode(proof);
      others.add(decoded.ok && decoded.value.claim.kind === 'absent' && decoded.value.claim.state.others.length > 0);
    }
    expect(others).toEqual(new Set([true, false]));
  });

  test('of an empty service: there is nothing yet', async () => {
    const { chain } = await TestChain.withService();
    expect(await shown(chain, await prove(chain, { key: 'k' }))).toMatchObject({ kind: 'absent' });
    expect(await chain.ledger.prove({ service: 'prices', index: 0 })).toMatchObject({ ok: false, error: { code: 'RECORD_UNKNOWN' } });
  });

  test('has the bytes that other versions expect', async () => {
    const { chain } = await filled();
    const hashes = await Promise.all(kinds.map(async ([, wanted]) => toHex(leafHash(await prove(chain, wanted)))));
    expect(hashes).toEqual([
      'f807ce3e7a22020482485acfeae16ceee667d055f8e75264a1eac6acd88dc853',
      'be2f52fdf30542b97c4455585eb0d2834dc26bd851afda0380ae2b9e3296f0f6',
      'dbc91eb4aced32056ca46dc776264a0161eb57359b1348582c52c7d97bf17cdc',
    ]);
  });

  // @mutation packages/ledger/src/make-proof.ts
  // - return { header, certificate: minimalCertificate(committeeAt(header.height), certificate) };
  // + return { header, certificate };
  test('carries as few commits as decide, the heaviest first', async () => {
    const { chain } = await filled({ weights: [30, 10, 31, 29, 10] });
    const decoded = proofCodec.decode(await prove(chain, { index: 0 }));
    if (!decoded.ok) return expect.unreachable();
    const { committee } = chain.genesis;
    const weights = decoded.value.certificate.commits.map(({ validator }) => committee.weight(validator));
    expect(weights.toSorted((a, b) => a - b)).toEqual([29, 30, 31]);
    expect(decoded.value.certificate.commits.length).toBeLessThan(chain.ledger.tip.certificate?.commits.length ?? 0);
  });

  test.each(kinds)(
    'that shows %s verifies with the portable ML-DSA alone',
    async (kind, wanted) => {
      const makeSigner = (name: string) => portableSigner('ml-dsa-44', sha256(utf8(name)));
      const { chain } = await TestChain.withService({ makeSigner, verifier: portableVerifier('ml-dsa-44') });
      const records = Array.from({ length: 31 }, (_, i) => [i === 7 ? 'key7' : '', `${i}`] as const);
      await chain.decide([await chain.append(chain.key('writer'), records)]);
      const proof = await prove(chain, wanted);
      expect(await shown(chain, proof)).toMatchObject({ kind });
      const forged = proof.slice();
      forged[forged.length - 100] = (forged[forged.length - 100] as number) ^ 1;
      expect(await verifyProof(chain.genesis, forged, chain.verifier)).toMatchObject({
        ok: false,
        error: { code: 'CERTIFICATE_SIGNATURE' },
      });
    },
    60_000,
  );
});

describe('no proof is accepted', () => {
  test.each(kinds)(
    'that shows %s and has any byte changed',
    async (_kind, wanted) => {
      const { chain } = await filled();
      const proof = await prove(chain, wanted);
      const accepted: number[] = [];
      for (let at = 0; at < proof.length; at++) {
        const original = proof[at] as number;
        for (const changed of [original ^ (1 << (at % 8)), original ^ 0xff]) {
          proof[at] = changed;
          if ((await verifyProof(chain.genesis, proof, fakeVerifier)).ok) accepted.push(at);
        }
        proof[at] = original;
      }
      expect(accepted).toEqual([]);
      expect((await verifyProof(chain.genesis, proof, fakeVerifier)).ok).toBe(true);
    },
    60_000,
  );

  test('that is cut, longer or random, and nothing is thrown', async () => {
    const { chain } = await filled();
    const proof = await prove(chain, { index: 3 });
    const cuts = fc.nat(proof.length - 1).map((length) => proof.slice(0, length));
    const longer = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((more) => new Uint8Array([...proof, ...more]));
    await fc.assert(
      fc.asyncProperty(fc.oneof(cuts, longer, fc.uint8Array({ maxLength: 1200 })), async (bytes) => {
        expect((await verifyProof(chain.genesis, bytes, chain.verifier)).ok).toBe(false);
      }),
      { numRuns: 500 },
    );
    const huge = await verifyProof(chain.genesis, new Uint8Array(PROOF_BYTES_MAX + 1), chain.verifier);
    expect(huge).toMatchObject({ ok: false, error: { code: 'MALFORMED', reason: 'too large' } });
  });

  /** Verifies the proof of `wanted` with something in it changed. */
  async function altered(wanted: Wanted, change: (proof: Proof, chain: TestChain) => Proof | Promise<Proof>) {
    const { chain } = await filled();
    const decoded = proofCodec.decode(await prove(chain, wanted));
    if (!decoded.ok) return expect.unreachable();
    const verified = await verifyProof(chain.genesis, proofCodec.encode(await change(decoded.value, chain)), chain.verifier);
    return verified.ok ? verified.value.kind : verified.error.code;
  }

  async function ofBlock(chain: TestChain, height: number): Promise<Pick<Proof, 'header' | 'certificate'>> {
    const block = chain.ledger.blockAt(height) ?? expect.unreachable();
    return { header: block.header, certificate: await chain.certificate({ block, blockHash: block.hash }, [0, 1, 2]) };
  }

  test('on another network with the same validators', async () => {
    const { chain } = await filled();
    const { timeMs, scheme } = chain.genesis;
    const validators = chain.genesis.validators.map(({ publicKey, weight }) => ({ publicKey, weight }));
    const other = createGenesis({ network: 'other', timeMs, scheme, validators });
    expect(other.committee.hash).toEqual(chain.genesis.committee.hash);
    const verified = await verifyProof(other, await prove(chain, { index: 0 }), chain.verifier);
    expect(verified).toMatchObject({ ok: false, error: { code: 'PROOF_NETWORK' } });
  });

  test('of another chain', async () => {
    expect(await altered({ index: 0 }, (proof) => ({ ...proof, header: { ...proof.header, chain: 1 } }))).toBe('PROOF_NETWORK');
  });

  test('of a committee that genesis does not name', async () => {
    const change = (proof: Proof): Proof => ({ ...proof, header: { ...proof.header, committeeHash: new Uint8Array(32) } });
    expect(await altered({ index: 0 }, change)).toBe('PROOF_COMMITTEE');
  });

  // @mutation packages/ledger/src/certified-header.ts
  // - if (certificate.height !== height || !bytesEqual(certificate.blockHash, hash)) return
  // + if (certificate.height !== height) return
  test('with the certificate of another block', async () => {
    const change = async (proof: Proof, chain: TestChain): Promise<Proof> => {
      const certificate = await chain.certificate(
        { block: chain.ledger.blockAt(6) ?? expect.unreachable(), blockHash: new Uint8Array(32).fill(1) },
        [0, 1, 2],
      );
      return { ...proof, certificate };
    };
    expect(await altered({ index: 0 }, change)).toBe('PROOF_CERTIFICATE');
  });

  // @mutation packages/ledger/src/certified-header.ts
  // - const verified = await verifyCertificate({ committee, context, certificate, verifier });
  // + const verified = ok(undefined);
  test('without a quorum of true commits', async () => {
    const signers =
      (list: number[]) =>
      async (proof: Proof, chain: TestChain): Promise<Proof> => {
        const block = chain.ledger.blockAt(6) ?? expect.unreachable();
        return { ...proof, certificate: await chain.certificate({ block, blockHash: block.hash }, list) };
      };
    expect(await altered({ index: 0 }, signers([1, 2, 3]))).toBe('included');
    expect(await altered({ index: 0 }, signers([1, 3]))).toBe('CERTIFICATE_WEIGHT');
    expect(await altered({ index: 0 }, (proof) => ({ ...proof, certificate: { ...proof.certificate, round: 9 } }))).toBe(
      'CERTIFICATE_SIGNATURE',
    );
  });

  test('with a signer that is not needed', async () => {
    const change = async (proof: Proof, chain: TestChain): Promise<Proof> => ({
      ...proof,
      certificate: chain.ledger.tip.certificate ?? expect.unreachable(),
    });
    expect(await altered({ index: 0 }, change)).toBe('PROOF_CERTIFICATE');
  });

  // @mutation packages/ledger/src/verify-proof.ts
  // - if (!verifyInclusion({ leafHash: leaf, index: record.index, size: recordCount, proof: inclusion, root: logRoot })) return null;
  // +
  // @mutation packages/ledger/src/verify-proof.ts
  // - return stateHolds(log, { root, state }) ?
  // + return log !== undefined ?
  test('of a record that is not in the log, or of a log that is not in the state', async () => {
    const claim = (change: object) => altered({ index: 30 }, (proof) => ({ ...proof, claim: { ...proof.claim, ...change } }));
    expect(await claim({})).toBe('included');
    const forged = leafHash(utf8('x'));
    for (const change of [{ inclusion: [] }, { recordCount: 51 }, { logRoot: forged }, { state: { siblings: [], others: [] } }])
      expect(await claim(change)).toBe('PROOF_CLAIM');
    // A log of one's own making, in which the record really is.
    expect(await claim({ recordCount: 31, inclusion: Array.from({ length: 5 }, () => forged) })).toBe('PROOF_CLAIM');
    const record = (change: object) =>
      altered({ index: 30 }, ({ claim, ...rest }) =>
        claim.kind === 'included' ? { ...rest, claim: { ...claim, record: { ...claim.record, ...change } } } : expect.unreachable(),
      );
    for (const change of [{ index: 29 }, { payload: utf8('y') }, { service: 'other' }, { height: 4 }, { timeMs: 1 }])
      expect(await record(change)).toBe('PROOF_CLAIM');
    const selfMade = await altered({ index: 30 }, ({ claim, ...rest }) => {
      if (claim.kind !== 'included') return expect.unreachable();
      const forgedRecord = { ...claim.record, index: 0 };
      return {
        ...rest,
        claim: { ...claim, record: forgedRecord, recordCount: 1, logRoot: leafHash(recordCodec.encode(forgedRecord)), inclusion: [] },
      };
    });
    expect(selfMade).toBe('PROOF_CLAIM');
  });

  // @mutation packages/ledger/src/verify-proof.ts
  // - return stateHolds(latest, { root, state }) ?
  // + return latest !== undefined ?
  test('of an earlier record as the latest', async () => {
    const change = async ({ claim, ...rest }: Proof, chain: TestChain): Promise<Proof> => {
      const [earlier] = (await chain.ledger.records({ service: 'prices', key: 'key7', limit: 1 })).records;
      return { ...rest, claim: { ...claim, kind: 'latest', record: earlier ?? expect.unreachable() } };
    };
    expect(await altered({ key: 'key7' }, change)).toBe('PROOF_CLAIM');
  });

  // @mutation packages/ledger/src/verify-proof.ts
  // - return verifyStateProof({ root, key: stateKey, valueHash: null, proof: state }) ?
  // + return !verifyStateProof({ root, key: stateKey, valueHash: stateKey, proof: state }) ?
  test('of the absence of a key that has a record', async () => {
    const change = ({ claim, ...rest }: Proof): Proof => {
      if (claim.kind !== 'latest') return expect.unreachable();
      const { record, state } = claim;
      const stateKey = LATEST_RECORD.stateKey({ service: record.service, key: record.key });
      const valueHash = stateValueHash(LATEST_RECORD.codec.encode({ index: record.index, leafHash: leafHash(recordCodec.encode(record)) }));
      return {
        ...rest,
        claim: {
          kind: 'absent',
          service: record.service,
          key: record.key,
          stateKey,
          state: { ...state, others: [...state.others, { key: stateKey, valueHash }] },
        },
      };
    };
    expect(await altered({ key: 'key7' }, change)).toBe('PROOF_CLAIM');
  });

  // @mutation packages/ledger/src/verify-proof.ts
  // - if (!bytesEqual(stateKey, claim.stateKey)) return null;
  // +
  // @mutation packages/ledger/src/verify-proof.ts
  // - if (!isName(service) || key === '') return null;
  // + if (!isName(service)) return null;
  // @mutation packages/ledger/src/verify-proof.ts
  // - if (!isName(service) || key === '') return null;
  // + if (key === '') return null;
  test('of the absence of another key, of no key, or of a service that cannot be', async () => {
    const { chain } = await filled();
    const named = async (service: string, key: string, keep: boolean) => {
      const stateKey = LATEST_RECORD.stateKey({ service, key });
      const { proof } = proveKey(
        new PageCache({ pagesMax: 100 }, (id) => chain.store.get(statePageKey(pageKey(id)))),
        chain.ledger.tip.stateRoot,
        stateKey,
      );
      const claim = { kind: 'absent' as const, service, key, stateKey: keep ? stateKey : new Uint8Array(32), state: proof };
      const bytes = proofCodec.encode({ claim, links: [], ...(await ofBlock(chain, 6)) });
      const verified = await verifyProof(chain.genesis, bytes, chain.verifier);
      return verified.ok ? verified.value.kind : verified.error.code;
    };
    expect(await named('prices', 'none', true)).toBe('absent');
    expect(await named('prices', 'none', false)).toBe('PROOF_CLAIM');
    expect(await named('prices', '', true)).toBe('PROOF_CLAIM');
    expect(await named('No Service', 'none', true)).toBe('PROOF_CLAIM');
  });
});

describe('proving', () => {
  test('is refused for what is not there', async () => {
    const { chain } = await filled();
    for (const index of [50, -1, 0.5]) {
      expect(await chain.ledger.prove({ service: 'prices', index })).toMatchObject({
        ok: false,
        error: { code: 'RECORD_UNKNOWN', recordCount: 50 },
      });
    }
    expect(await chain.ledger.prove({ service: 'nowhere', index: 0 })).toMatchObject({
      ok: false,
      error: { code: 'RECORD_UNKNOWN', recordCount: 0 },
    });
    expect(await chain.ledger.prove({ service: 'prices', key: '' })).toMatchObject({ ok: false, error: { code: 'KEY_INVALID' } });
  });

  test('waits for a certificate', async () => {
    const chain = await TestChain.create();
    expect(await chain.ledger.prove({ service: 'prices', key: 'k' })).toMatchObject({
      ok: false,
      error: { code: 'NO_CERTIFICATE', height: 0 },
    });
    await chain.ledger.apply(chain.propose([]), null);
    expect(await chain.ledger.prove({ service: 'prices', key: 'k' })).toMatchObject({
      ok: false,
      error: { code: 'NO_CERTIFICATE', height: 1 },
    });
  });

  /** Runs `meanwhile` inside each of the next `times` scans of the store, as others run while one waits for the disk. */
  function interrupt(chain: TestChain, times: number, meanwhile: () => Promise<unknown>): () => number {
    const scan = chain.store.scan.bind(chain.store);
    let left = times;
    chain.store.scan = async (range) => {
      const entries = await scan(range);
      if (left === 0) return entries;
      left--;
      const interrupted = chain.store.scan;
      chain.store.scan = scan;
      await meanwhile();
      chain.store.scan = interrupted;
      return entries;
    };
    return () => times - left;
  }

  // @mutation packages/ledger/src/prover.ts
  // - if (chain.applying() !== null || chain.tip() !== before) continue;
  // +
  test('speaks of one block, whatever is applied meanwhile', async () => {
    const { chain, writer } = await filled();
    interrupt(chain, 1, async () => chain.decide([await chain.append(writer, [['key7', 'newest']])]));
    expect(await shown(chain, await prove(chain, { key: 'key7' }))).toMatchObject({
      kind: 'latest',
      record: { index: 50 },
      asOf: { height: 7 },
    });
  });

  test('waits for the block that is being applied', async () => {
    const { chain, writer } = await filled();
    const candidate = chain.propose([await chain.append(writer, [['key7', 'newest']])]);
    const proving = [prove(chain, { index: 7 })];
    const applying = chain.ledger.apply(candidate, await chain.certificate(candidate));
    proving.push(prove(chain, { key: 'key7' }));
    await applying;
    const proven = await Promise.all(proving.map(async (proof) => shown(chain, await proof)));
    expect(proven).toMatchObject([{ record: { index: 7 } }, { record: { index: 50 }, asOf: { height: 7 } }]);
  });

  test('gives up when the tip never rests', async () => {
    const { chain } = await filled();
    const interruptions = interrupt(chain, 100, () => chain.decide([]));
    const proof = await chain.ledger.prove({ service: 'prices', key: 'none' });
    expect(proof).toMatchObject({ ok: false, error: { code: 'PROOF_BUSY', attempts: PROVE_ATTEMPTS_MAX } });
    expect(interruptions()).toBe(PROVE_ATTEMPTS_MAX);
  });
});
