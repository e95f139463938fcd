import { concatBytes, toHex, ZERO_HASH } from '@nacre/base';
import { type Certificate, certificateDigest } from '@nacre/consensus';
import { leafHash, nodeHash } from '@nacre/crypto';
import {
  Block,
  blockHash,
  decodeBlock,
  decodeHeader,
  encodeBlock,
  encodeHeader,
  type Header,
  type LateCommit,
  transactionsRoot,
} from '@nacre/ledger';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const hash = (byte: number) => new Uint8Array(32).fill(byte);
const bodyHashes = [hash(21), hash(22), hash(23)];
const signature = (byte: number) => new Uint8Array(40).fill(byte);
const parentCertificate: Certificate = {
  height: 8,
  round: 1,
  blockHash: hash(4),
  commits: [0, 2, 3].map((validator) => ({ validator, signature: signature(validator) })),
};
const lateCommits: LateCommit[] = [
  { height: 5, validator: 1, round: 0, signature: signature(31) },
  { height: 7, validator: 0, round: 2, signature: signature(32) },
  { height: 7, validator: 3, round: 2, signature: signature(33) },
];
const header: Header = {
  genesisHash: hash(1),
  chain: 0,
  epoch: 0,
  height: 9,
  timeMs: 1_700_000_000_123,
  proposer: hash(2),
  parentHash: hash(4),
  parentCertificateDigest: certificateDigest(parentCertificate),
  transactionsRoot: transactionsRoot(bodyHashes),
  stateRoot: hash(5),
  committeeHash: hash(6),
  nextCommitteeHash: hash(7),
  historyRoot: hash(8),
  chain0Reference: { height: 0, hash: ZERO_HASH },
  lateCommits: [
    { height: 5, validators: [1] },
    { height: 7, validators: [0, 3] },
  ],
};
const parts = { header, bodyHashes, parentCertificate, lateCommits };
const block = Block.assemble(parts);

/** A copy of the block with other things beside its header, as a peer may send it. */
function copyWith(change: Partial<typeof parts>): Uint8Array {
  // The proposer's own check is what keeps `assemble` from making it, so the header that fits is swapped for the real one in the bytes.
  const changed = { ...parts, ...change };
  const fitting: Header = {
    ...header,
    transactionsRoot: transactionsRoot(changed.bodyHashes),
    parentCertificateDigest: changed.parentCertificate === null ? ZERO_HASH : certificateDigest(changed.parentCertificate),
  };
  const { bytes } = Block.assemble({ ...changed, header: fitting });
  const [from, to] = [encodeHeader(fitting), encodeHeader(header)];
  const at = Buffer.from(bytes).indexOf(from);
  return concatBytes(bytes.subarray(0, at), to, bytes.subarray(at + from.length));
}

describe('a header', () => {
  test('comes back from its bytes', () => {
    expect(decodeHeader(encodeHeader(header))).toEqual({ ok: true, value: header });
  });

  test('has the bytes and hash that other versions expect', () => {
    expect(encodeHeader(header).length).toBe(395);
    expect(toHex(encodeHeader(header).subarray(0, 64))).toBe(
      '01010101010101010101010101010101010101010101010101010101010101010100000000000000000000000009000000000000007b68e5cf8b010000020202',
    );
    expect(toHex(blockHash(header))).toBe('022fb599bbd696e3319d36ce4031b61c70a7638887a039e22920d35d18a9a9b1');
  });

  test('has another hash for each difference of its fields', () => {
    const changes: Partial<Header>[] = [
      { genesisHash: hash(99) },
      { chain: 1 },
      { epoch: 1 },
      { height: 10 },
      { timeMs: 5 },
      { proposer: hash(99) },
      { parentHash: hash(99) },
      { parentCertificateDigest: hash(99) },
      { transactionsRoot: hash(99) },
      { stateRoot: hash(99) },
      { committeeHash: hash(99) },
      { nextCommitteeHash: hash(99) },
      { historyRoot: hash(99) },
      { chain0Reference: { height: 1, hash: ZERO_HASH } },
      { lateCommits: [] },
    ];
    expect(changes.length).toBe(Object.keys(header).length);
    const hashes = changes.map((change) => toHex(blockHash({ ...header, ...change })));
    expect(new Set([...hashes, toHex(block.hash)]).size).toBe(changes.length + 1);
  });

  test('is refused in any other encoding of itself, and for random bytes, without throwing', () => {
    fuzz(encodeHeader(header), (bytes) => {
      const decoded = decodeHeader(bytes);
      if (decoded.ok) expect(encodeHeader(decoded.value)).toEqual(bytes);
      else expect(decoded.error.code).toBe('MALFORMED');
    });
  });
});

describe('a block', () => {
  test('comes back from its bytes with all its parts', () => {
    expect(decodeBlock(encodeBlock(block))).toEqual({ ok: true, value: block });
    expect(block).toMatchObject({ ...parts, hash: blockHash(header) });
  });

  test('has the bytes that other versions expect', () => {
    expect(toHex(leafHash(block.bytes))).toBe('9d603ef6776284389cf41b6ba6787dac8e1e34ac6c6b343b0fd58df0704adcf1');
  });

  test('at height 1 has no parent certificate', () => {
    const first = Block.assemble({
      header: { ...header, parentCertificateDigest: ZERO_HASH },
      bodyHashes,
      parentCertificate: null,
      lateCommits,
    });
    expect(decodeBlock(first.bytes)).toEqual({ ok: true, value: first });
  });

  test('lists its transactions in a tree of RFC 6962', () => {
    const [a, b, c] = bodyHashes.map((bodyHash) => leafHash(bodyHash)) as [Uint8Array, Uint8Array, Uint8Array];
    expect(transactionsRoot(bodyHashes)).toEqual(nodeHash(nodeHash(a, b), c));
  });

  const foreign: [part: string, name: string, change: Partial<typeof parts>][] = [
    ['body hashes', 'one transaction less', { bodyHashes: bodyHashes.slice(1) }],
    ['body hashes', 'another order', { bodyHashes: [hash(22), hash(21), hash(23)] }],
    ['parent certificate', 'another signer', { parentCertificate: { ...parentCertificate, commits: parentCertificate.commits.slice(1) } }],
    ['parent certificate', 'another round', { parentCertificate: { ...parentCertificate, round: 0 } }],
  ];

  // @mutation packages/ledger/src/block.ts
  // - if (!bytesEqual(transactionsRoot(bodyHashes), header.transactionsRoot)) return 'body hashes';
  // +
  // @mutation packages/ledger/src/block.ts
  // - if (!bytesEqual(digest, header.parentCertificateDigest)) return 'parent certificate';
  // +
  test.each(foreign)('is refused as a copy with foreign %s: %s', (part, _name, change) => {
    expect(decodeBlock(copyWith(change))).toMatchObject({ ok: false, error: { code: 'BLOCK_PART_FOREIGN', part } });
  });

  // @mutation packages/ledger/src/block.ts
  // - if (places.length !== wire.length) throw
  // + if (places.length < wire.length) throw
  test('is refused as a copy with a late commit more or less than its header credits', () => {
    for (const credited of [[], [{ height: 5, validators: [1] }]]) {
      const other = Block.assemble({
        ...parts,
        header: { ...header, lateCommits: credited },
        lateCommits: lateCommits.slice(0, credited.length),
      });
      const [from, to] = [encodeHeader(other.header), encodeHeader(header)];
      // Lists that grow move the parts behind them: the offsets in the first 17 bytes are set anew.
      const bytes = concatBytes(other.bytes.subarray(0, 17), to, other.bytes.subarray(17 + from.length));
      const view = new DataView(bytes.buffer);
      for (const offset of [5, 9, 13]) view.setUint32(offset, view.getUint32(offset, true) + to.length - from.length, true);
      expect(decodeBlock(bytes)).toMatchObject({ ok: false, error: { code: 'MALFORMED' } });
    }
  });

  test('keeps its hash when only signatures and their rounds differ', () => {
    const resigned = {
      ...parentCertificate,
      commits: parentCertificate.commits.map(({ validator }) => ({ validator, signature: signature(99) })),
    };
    const others = lateCommits.map((late) => ({ ...late, round: 7, signature: signature(98) }));
    const decoded = decodeBlock(copyWith({ parentCertificate: resigned, lateCommits: others }));
    expect(decoded).toMatchObject({ ok: true, value: { hash: block.hash, parentCertificate: resigned, lateCommits: others } });
  });

  test('cannot be assembled of parts that do not fit', () => {
    expect(() => Block.assemble({ ...parts, bodyHashes: [] })).toThrow('body hashes');
    expect(() => Block.assemble({ ...parts, lateCommits: [] })).toThrow('late commits');
  });

  test('is refused in any other encoding of itself, and for random bytes, without throwing', () => {
    fuzz(block.bytes, (bytes) => {
      const decoded = decodeBlock(bytes);
      if (decoded.ok) expect(Block.assemble(decoded.value).bytes).toEqual(bytes);
      else expect(decoded.error.code).toMatch(/^(MALFORMED|BLOCK_PART_FOREIGN)$/);
    });
  });
});

/** Runs `check` on the original with bytes flipped or cut off, and on random bytes. */
function fuzz(original: Uint8Array, check: (bytes: Uint8Array) => void): void {
  const mutated = fc.tuple(fc.nat(original.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean()).map(([at, flip, cut]) => {
    const bytes = original.slice();
    bytes[at] = (bytes[at] as number) ^ flip;
    return cut ? bytes.slice(0, at) : bytes;
  });
  fc.assert(fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 600 })), check), { numRuns: 2000 });
}
