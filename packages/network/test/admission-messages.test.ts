import { toHex } from '@nacre/base';
import { sha256 } from '@nacre/crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressListCodec, addressRecordMessage } from '../src/address-record.ts';
import { type AdmissionMessage, challengeBytes, decodeAdmission, encodeAdmission } from '../src/admission-messages.ts';
import { REFUSALS } from '../src/network-counters.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const message: fc.Arbitrary<AdmissionMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('hello' as const),
    hello: fc.record({
      genesisHash: bytes(32),
      protocolVersion: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      nonce: bytes(32),
      instance: bytes(16),
      claim: fc.option(bytes(32)),
    }),
  }),
  fc.record({ kind: fc.constant('proof' as const), signature: fc.uint8Array({ maxLength: 4_627 }) }),
  fc.record({ kind: fc.constant('verdict' as const), refusal: fc.option(fc.constantFrom(...REFUSALS)) }),
);

test('admission messages decode to what was encoded', () => {
  fc.assert(
    fc.property(message, (sent) => {
      expect(decodeAdmission(encodeAdmission(sent))).toEqual({ ok: true, value: sent });
    }),
  );
});

test('whatever bytes come, they decode to one value that encodes to them, or are refused', () => {
  const mutated = fc.tuple(message, fc.nat(), fc.nat(255)).map(([sent, at, byte]) => {
    const encoded = encodeAdmission(sent);
    encoded[at % encoded.length] = byte;
    return encoded;
  });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (received) => {
      const decoded = decodeAdmission(received);
      if (decoded.ok) expect(encodeAdmission(decoded.value)).toEqual(received);
      else expect(['MALFORMED', 'WRONG_VERSION']).toContain(decoded.error.code);
    }),
    { numRuns: 1_000 },
  );
});

test('an address list of any bytes is decoded or refused', () => {
  const canonical = (received: Uint8Array): boolean => {
    const decoded = addressListCodec.decode(received);
    return !decoded.ok || Buffer.compare(addressListCodec.encode(decoded.value), received) === 0;
  };
  expect(fc.check(fc.property(fc.uint8Array({ maxLength: 400 }), canonical), { numRuns: 500 })).toMatchObject({ failed: false });
});

const fill = (length: number, byte: number) => new Uint8Array(length).fill(byte);

test('wire format: what is signed and said at admission is pinned', () => {
  const challenge = {
    genesisHash: fill(32, 1),
    protocolVersion: 2,
    address: fill(32, 3),
    signerPeerId: fill(52, 4),
    verifierPeerId: fill(52, 5),
    signerNonce: fill(32, 6),
    verifierNonce: fill(32, 7),
    binding: fill(32, 8),
  };
  const hello = { genesisHash: fill(32, 1), protocolVersion: 2, nonce: fill(32, 6), instance: fill(16, 9), claim: fill(32, 3) };
  const record = { address: fill(32, 3), peerId: fill(52, 4), multiaddrs: [fill(8, 1), fill(9, 2)], madeAtMs: 77 };
  const pinned = [
    challengeBytes(challenge),
    encodeAdmission({ kind: 'hello', hello }),
    encodeAdmission({ kind: 'proof', signature: fill(20, 1) }),
    encodeAdmission({ kind: 'verdict', refusal: 'BAD_PROOF' }),
    addressRecordMessage(fill(32, 1), record),
    addressListCodec.encode([{ ...record, signature: fill(30, 2) }]),
  ];
  expect(pinned.map((encoded) => toHex(sha256(encoded)).slice(0, 16))).toMatchInlineSnapshot(`
    [
      "2d272973ea16766f",
      "1c192c1593f2c251",
      "0f0c6559d6bbac76",
      "039058c6f2c0cb49",
      "fb424dfb31ede1e7",
      "2bb10a87bed27b8f",
    ]
  `);
});
