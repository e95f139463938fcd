/** What is stored of a transaction's end. */
import { expect, test } from 'vitest';
import { includedStatusCodec } from '../src/status.ts';

const FAILED = { status: 'failed', height: 3, index: 1, reason: { code: 'SERVICE_EXISTS', operation: 0 } } as const;

test('a status is decoded as it was stored', () => {
  for (const status of [FAILED, { status: 'committed', height: 3, index: 0 } as const]) {
    expect(includedStatusCodec.decode(includedStatusCodec.encode(status))).toEqual({ ok: true, value: status });
  }
});

// @mutation packages/ledger/src/status.ts
// - if (text === undefined) throw new RangeError('not UTF-8');
// +
test('a stored status whose code is damaged is refused, and throws nothing', () => {
  const encoded = includedStatusCodec.encode(FAILED);
  const damaged = encoded.with(encoded.length - 1, 0xff);
  expect(includedStatusCodec.decode(damaged)).toMatchObject({ ok: false, error: { code: 'MALFORMED', reason: 'undecodable' } });
});
