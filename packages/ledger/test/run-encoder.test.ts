import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecordType } from '../src/record.ts';
import { RunEncoder } from '../src/run-encoder.ts';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const shared = fc.record({
  version: fc.constant(1),
  service: bytes(64),
  height: fc.maxSafeNat(),
  timeMs: fc.maxSafeNat(),
  txId: hash,
  account: hash,
  schema: bytes(64),
  schemaVersion: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  mediaType: bytes(127),
});
const record = fc.record({ index: fc.maxSafeNat(), key: bytes(256), payload: bytes(600) });

// @mutation packages/ledger/src/run-encoder.ts
// - this.#view.setUint32(PAYLOAD_OFFSET_AT, payloadAt, true);
// +
// @mutation packages/ledger/src/run-encoder.ts
// - this.#view.setBigUint64(INDEX_AT, BigInt(index), true);
// + this.#view.setUint32(INDEX_AT, index, true);
test('records of one operation are encoded as each of them alone is, whatever came before', () => {
  fc.assert(
    fc.property(shared, fc.array(record, { minLength: 1, maxLength: 8 }), (common, records) => {
      const encoder = new RunEncoder(common, Math.max(...records.map(({ key, payload }) => key.length + payload.length)));
      for (const { index, key, payload } of records) {
        expect(encoder.encode(index, key, payload)).toEqual(RecordType.serialize({ ...common, index, key, payload }));
      }
    }),
  );
});
