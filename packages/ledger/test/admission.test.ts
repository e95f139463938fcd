import type { Operation } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { appendOf, GENESIS_MS, TestChain } from './support/test-chain.ts';

describe('admission', () => {
  const now = GENESIS_MS + 10_000;
  const json = (text: string): Operation => ({ ...appendOf('prices', ['0', text]), mediaType: 'application/json' }) as Operation;

  test('takes what the next block could commit', async () => {
    const { chain, writer } = await TestChain.withService();
    const ok = { ok: true, value: undefined };
    expect(chain.ledger.admissible(await chain.append(writer, ['a']), now)).toEqual(ok);
    expect(chain.ledger.admissible(await chain.transaction(writer, [appendOf('prices', ['not {json'])]), now)).toEqual(ok);
  });

  test('refuses what no block at this time could hold, or would hold in vain', async () => {
    const { chain, writer } = await TestChain.withService();
    const { validityWindowMs } = chain.genesis.parameters;
    const stranger = chain.key('stranger');
    const done = await chain.append(writer, ['a']);
    await chain.decide([done]);
    const cases = [
      ['EXPIRED', await chain.transaction(writer, [appendOf('prices', ['a'])], { validUntilMs: now - 1 })],
      ['TOO_FAR_AHEAD', await chain.transaction(writer, [appendOf('prices', ['a'])], { validUntilMs: now + validityWindowMs + 1 })],
      ['DUPLICATE', done],
      ['UNKNOWN_ACCOUNT', await chain.append(stranger, ['a'])],
      ['UNKNOWN_SERVICE', await chain.append(writer, ['a'], 'nowhere')],
      ['NOT_A_WRITER', await chain.append(chain.validator(0), ['a'])],
      ['NOT_A_VALIDATOR', await chain.transaction(writer, [{ kind: 'validator.recover', nonce: new Uint8Array(16) }])],
    ] as const;
    for (const [code, transaction] of cases)
      expect(chain.ledger.admissible(transaction, now)).toMatchObject({ ok: false, error: { code } });
  });

  // @mutation packages/ledger/src/ledger.ts
  // - return checkAdmission(transaction, this.#execution(Math.max(nowMs, this.#tip.timeMs + 1)));
  // + return checkAdmission(transaction, this.#execution(nowMs));
  test('refuses what is past at the tip, by whatever clock', async () => {
    const { chain, writer } = await TestChain.withService();
    const past = await chain.transaction(writer, [appendOf('prices', ['a'])], { validUntilMs: chain.ledger.tip.timeMs });
    expect(chain.ledger.admissible(past, GENESIS_MS)).toMatchObject({ ok: false, error: { code: 'EXPIRED' } });
  });

  test('refuses what exceeds the quota of its sponsor', async () => {
    const { chain, writer } = await TestChain.withService({ parameters: { quotaBytesPerWindow: 1024 * 1024, quotaWindowMs: 86_400_000 } });
    const large = await chain.append(
      writer,
      Array.from({ length: 6 }, () => 'x'.repeat(50_000)),
    );
    expect(chain.ledger.admissible(large, now)).toMatchObject({ ok: false, error: { code: 'QUOTA_EXCEEDED', share: 262_144 } });
  });

  // @mutation packages/ledger/src/ledger.ts
  // - return admitted.ok ? ok(undefined) : admitted;
  // + return admitted.ok ? this.admissible(transaction, nowMs) : admitted;
  test('of what peers pass on takes also what would fail, but not what no block may hold', async () => {
    const { chain, writer } = await TestChain.withService();
    expect(chain.ledger.includable(await chain.append(writer, ['a'], 'nowhere'), now)).toEqual({ ok: true, value: undefined });
    const past = await chain.transaction(writer, [appendOf('prices', ['a'])], { validUntilMs: now - 1 });
    expect(chain.ledger.includable(past, now)).toMatchObject({ ok: false, error: { code: 'EXPIRED' } });
  });

  // @mutation packages/ledger/src/canonical-json.ts
  // - return canonicalize(JSON.parse(text)) === text;
  // + return canonicalize(JSON.parse(text)) !== undefined;
  test('asks JSON to be canonical, which no block has to be', async () => {
    const { chain, writer } = await TestChain.withService();
    const canonical = ['null', '"€"', '[1,0.1,1e+30]', '{"a":1,"b":{"":[]}}', `${'['.repeat(500)}${']'.repeat(500)}`];
    for (const text of canonical)
      expect(chain.ledger.admissible(await chain.transaction(writer, [json(text)]), now)).toMatchObject({ ok: true });
    const others = [
      '',
      ' 1',
      '1.0',
      '-0',
      '1e400',
      '{"b":1,"a":2}',
      '{"a":1,"a":1}',
      '"\\u0061"',
      '"\\ud800"',
      '{',
      'undefined',
      '\ufeff1',
    ];
    for (const text of others) {
      const transaction = await chain.transaction(writer, [appendOf('prices', ['fine']), json(text)]);
      expect(chain.ledger.admissible(transaction, now)).toEqual({
        ok: false,
        error: { code: 'PAYLOAD_NOT_CANONICAL', operation: 1, record: 1 },
      });
      expect(chain.propose([transaction]).transactions).toEqual([transaction]);
    }
    const binary: Operation = { ...json(''), records: [{ key: '', payload: new Uint8Array([0xff]) }] } as Operation;
    expect(chain.ledger.admissible(await chain.transaction(writer, [binary]), now)).toMatchObject({ ok: false });
  });
});
