import { toHex, utf8 } from '@nacre/base';
import { SCHEMES } from '@nacre/crypto';
import {
  buildTransaction,
  createGenesis,
  decodeTransaction,
  type Genesis,
  LedgerError,
  type NewRecord,
  type Operation,
  type RecordAppend,
  type ServiceCreate,
  type TransactionContents,
} from '@nacre/ledger';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeTransaction } from '../src/transaction.ts';
import { FakeSigner } from './support/fake-keys.ts';

const SIGNATURE_BYTES = SCHEMES['ml-dsa-44'].signatureBytes;

const parameters = {
  transactionBytesMax: 16_384,
  operationsMax: 3,
  recordsPerTransactionMax: 4,
  recordBytesMax: 1024,
  keyBytesMax: 16,
  serviceOwnersMax: 2,
  serviceWritersMax: 3,
  serviceSchemasMax: 2,
};
const validators = [0, 1, 2, 3].map((index) => ({ publicKey: new FakeSigner(`${index}`).publicKey, weight: 1 }));
const genesis = createGenesis({ network: 'test', timeMs: 0, scheme: 'ml-dsa-44', validators, parameters });

const account = (byte: number) => new Uint8Array(32).fill(byte);

function service(more: Partial<ServiceCreate> = {}): ServiceCreate {
  const schemas = [{ name: 'price', version: 1 }];
  return {
    kind: 'service.create',
    name: 'prices',
    owners: [account(1)],
    writers: [account(2)],
    schemas,
    shard: 0,
    retentionMs: 0,
    ...more,
  };
}

function append(more: Partial<RecordAppend> = {}): RecordAppend {
  const records = [{ key: 'eur', payload: utf8('1.09') }];
  return { kind: 'record.append', service: 'prices', schema: 'price', schemaVersion: 1, mediaType: 'text/plain', records, ...more };
}

const everything: Operation[] = [
  { kind: 'account.create', publicKey: new FakeSigner('someone').publicKey },
  service(),
  { ...service(), kind: 'service.update', writers: [], shard: 3, retentionMs: 86_400_000 },
];

function contents(operations: readonly Operation[], more: Partial<TransactionContents> = {}): TransactionContents {
  return {
    chain: 0,
    account: account(7),
    keyId: new Uint8Array(8).fill(4),
    nonce: new Uint8Array(16).fill(9),
    validUntilMs: 1_700_000_000_000,
    operations,
    ...more,
  };
}

function encoded(operations: readonly Operation[], more: Partial<TransactionContents> = {}, by: Genesis = genesis): Uint8Array {
  return encodeTransaction(by, contents(operations, more), new Uint8Array(SIGNATURE_BYTES).fill(5));
}

/** The code of the refusal, or null. */
function refusal(operations: readonly Operation[], more: Partial<TransactionContents> = {}) {
  const decoded = decodeTransaction(encoded(operations, more), genesis);
  return decoded.ok ? null : decoded.error;
}

function records(...list: Partial<NewRecord>[]): Operation[] {
  return [append({ records: list.map((record) => ({ key: '', payload: utf8('x'), ...record })) })];
}

describe('a transaction', () => {
  test('comes back from its bytes with every operation', () => {
    for (const operations of [everything, [append(), { kind: 'validator.recover', nonce: new Uint8Array(16).fill(3) } as const]]) {
      const bytes = encoded(operations);
      const decoded = decodeTransaction(bytes, genesis);
      expect(decoded).toMatchObject({ ok: true, value: { contents: contents(operations), bytes } });
    }
  });

  // @mutation packages/ledger/src/transaction.ts
  // - sharesInput: true,
  // +
  test('holds its records once: what is decoded are views of its bytes', () => {
    const bytes = encoded([append()]);
    const decoded = decodeTransaction(bytes, genesis);
    const [operation] = decoded.ok ? decoded.value.contents.operations : [];
    if (!decoded.ok || operation?.kind !== 'record.append') return expect.unreachable();
    for (const { payload } of operation.records) expect(payload.buffer).toBe(bytes.buffer);
    expect(decoded.value.signature.buffer).toBe(bytes.buffer);
  });

  test('has the bytes and hashes that other versions expect', () => {
    const decoded = decodeTransaction(encoded([append(), service()]), genesis);
    if (!decoded.ok) return expect.unreachable(decoded.error.code);
    expect(toHex(decoded.value.bytes.subarray(0, 96))).toBe(
      '01090000002b0100000171fda04d284acc4b24e6467fe07d4f32e4813c26c9721540563ba8f82fcf5902000000000707070707070707070707070707070707070707070707070707070707070707040404040404040409090909090909090909',
    );
    expect(toHex(decoded.value.txId)).toBe('37c96f2416bdd0144a2862cef7b226de3758270c73c32eafc3a2ad16a51677d0');
    expect(toHex(decoded.value.bodyHash)).toBe('2528a1f690ece3955de93b639a7dcfa435ee8a1bd5cc96c93b9807b21031d6ad');
  });

  // @mutation packages/ledger/src/transaction.ts
  // - return taggedHash(SIGNATURE_TAG, signature);
  // + return taggedHash(SIGNATURE_TAG, signature.subarray(1));
  test('keeps its id under another signature and gets another body', () => {
    const decode = (first: number) => {
      const signature = new Uint8Array(SIGNATURE_BYTES);
      signature[0] = first;
      const decoded = decodeTransaction(encodeTransaction(genesis, contents(everything), signature), genesis);
      return decoded.ok ? decoded.value : expect.unreachable(decoded.error.code);
    };
    expect(decode(1).txId).toEqual(decode(2).txId);
    expect(decode(1).bodyHash).not.toEqual(decode(2).bodyHash);
  });

  test('has an id of its own for each difference of its contents', () => {
    const ids = [
      contents([append()]),
      contents([append({ schemaVersion: 2 })]),
      contents([append()], { account: account(8) }),
      contents([append()], { nonce: new Uint8Array(16) }),
      contents([append()], { validUntilMs: 5 }),
    ].map((content) => {
      const decoded = decodeTransaction(encodeTransaction(genesis, content, new Uint8Array(SIGNATURE_BYTES)), genesis);
      return decoded.ok ? toHex(decoded.value.txId) : expect.unreachable(decoded.error.code);
    });
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('is signed by its id and verifies by it', async () => {
    const signer = new FakeSigner('someone');
    const request = { genesis, account: account(7), operations: everything, validUntilMs: 5, nonce: new Uint8Array(16), signer };
    const transaction = await buildTransaction(request);
    expect(transaction.signature).toEqual(await signer.sign(transaction.txId, 'nacre/1/transaction'));
    await expect(buildTransaction({ ...request, operations: [] })).rejects.toThrow(LedgerError);
    await expect(buildTransaction({ ...request, operations: [] })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      fields: { refusal: { code: 'OPERATIONS_NONE' } },
    });
  });
});

describe('a transaction is refused', () => {
  // @mutation packages/ledger/src/transaction.ts
  // - if (!bytesEqual(wire.genesisHash, genesis.hash)) return fail({ code: 'WRONG_NETWORK' });
  // +
  test('on another network', () => {
    const other = createGenesis({ network: 'other', timeMs: 0, scheme: 'ml-dsa-44', validators, parameters });
    expect(decodeTransaction(encoded(everything, {}, other), genesis)).toMatchObject({ ok: false, error: { code: 'WRONG_NETWORK' } });
  });

  // @mutation packages/ledger/src/transaction.ts
  // - if (wire.chain !== genesis.context.chain)
  // + if (wire.chain < genesis.context.chain)
  test('on another chain', () => {
    expect(refusal(everything, { chain: 1 })).toMatchObject({ code: 'WRONG_CHAIN', chain: 1 });
  });

  // @mutation packages/ledger/src/transaction.ts
  // - if (bytes.length <= transactionBytesMax) return
  // + if (bytes.length <= transactionBytesMax + 1) return
  test('above the size that genesis allows', () => {
    const rest = encoded(records({ payload: new Uint8Array(0) }, { payload: new Uint8Array(0) }, { payload: new Uint8Array(0) })).length;
    const tight = createGenesis({
      network: 'test',
      timeMs: 0,
      scheme: 'ml-dsa-44',
      validators,
      parameters: { transactionBytesMax: 16_384 },
    });
    const payload = new Uint8Array(16_384 - rest);
    const [fits, exceeds] = [payload, new Uint8Array(payload.length + 1)].map((last) =>
      decodeTransaction(
        encoded(records({ payload: new Uint8Array(0) }, { payload: new Uint8Array(0) }, { payload: last }), {}, tight),
        tight,
      ),
    );
    expect(fits).toMatchObject({ ok: true });
    expect(exceeds).toMatchObject({ ok: false, error: { code: 'TRANSACTION_TOO_LARGE', bytes: 16_385, max: 16_384 } });
  });

  // @mutation packages/ledger/src/transaction.ts
  // - if (signature.length !== signatureLength)
  // + if (signature.length > signatureLength)
  test('with a signature of another length', () => {
    for (const length of [0, SIGNATURE_BYTES - 1, SIGNATURE_BYTES + 1]) {
      const decoded = decodeTransaction(encodeTransaction(genesis, contents(everything), new Uint8Array(length)), genesis);
      expect(decoded).toMatchObject({ ok: false, error: { code: 'SIGNATURE_LENGTH', length } });
    }
  });

  test('without operations', () => {
    expect(refusal([])).toMatchObject({ code: 'OPERATIONS_NONE' });
  });

  const oneTooMany: [code: string, operations: Operation[]][] = [
    ['OPERATIONS_TOO_MANY', [append(), append(), append(), append()]],
    ['RECORDS_TOO_MANY', [...records({}, {}, {}), ...records({}, {})]],
    ['RECORD_TOO_LARGE', records({}, { payload: new Uint8Array(1025) })],
    ['KEY_TOO_LONG', records({}, { key: 'k'.repeat(17) })],
    ['KEY_TOO_LONG', records({ key: 'ä'.repeat(9) })],
    ['OWNERS_TOO_MANY', [service({ owners: [account(1), account(2), account(3)] })]],
    ['WRITERS_TOO_MANY', [service({ writers: [account(1), account(2), account(3), account(4)] })]],
    ['SCHEMAS_TOO_MANY', [service({ schemas: [1, 2, 3].map((version) => ({ name: 'price', version })) })]],
  ];

  // @mutation packages/ledger/src/operation-rules.ts
  // - if (operations.length > operationsMax)
  // + if (operations.length > operationsMax + 1)
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (records > recordsPerTransactionMax)
  // + if (records > recordsPerTransactionMax + 1)
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (payload.length > recordBytesMax)
  // + if (payload.length > recordBytesMax + 1)
  // @mutation packages/ledger/src/operation-rules.ts
  // - utf8(key).length > keyBytesMax)
  // + utf8(key).length > keyBytesMax + 1)
  // @mutation packages/ledger/src/operation-rules.ts
  // - utf8(key).length > keyBytesMax)
  // + key.length > keyBytesMax)
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (service.owners.length > serviceOwnersMax)
  // + if (service.owners.length > serviceOwnersMax + 1)
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (service.writers.length > serviceWritersMax)
  // + if (service.writers.length > serviceWritersMax + 1)
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (schemas.length > max)
  // + if (schemas.length > max + 1)
  test.each(oneTooMany)('with one more than genesis allows: %s', (code, operations) => {
    expect(refusal(operations)).toMatchObject({ code });
  });

  test('not at the limits themselves', () => {
    const full = service({
      owners: [account(1), account(2)],
      writers: [account(1), account(2), account(3)],
      schemas: [1, 2].map((version) => ({ name: 'price', version })),
    });
    expect(refusal([full, ...records({ payload: new Uint8Array(1024) }, { key: 'ä'.repeat(8) }), ...records({}, {})])).toBeNull();
  });

  const possession = { proofOfPossession: new Uint8Array(SIGNATURE_BYTES) };
  const joiner = { address: account(3), publicKey: new FakeSigner('joiner').publicKey, weight: 1 };
  const join = { kind: 'validator.join', ...joiner, ...possession } as const;
  const malformed: [code: string, name: string, operation: Operation][] = [
    ['NAME_INVALID', 'a service without a name', service({ name: '' })],
    ['NAME_INVALID', 'a service in capitals', service({ name: 'Prices' })],
    ['NAME_INVALID', 'a service that ends in a dot', service({ name: 'prices.' })],
    ['NAME_INVALID', 'a schema with a space', service({ schemas: [{ name: 'a b', version: 1 }] })],
    ['NAME_INVALID', 'a record of a service in other letters', append({ service: 'prïces' })],
    ['NAME_INVALID', 'a record of a schema without a name', append({ schema: '' })],
    ['OWNERS_NONE', 'a service without owners', service({ owners: [] })],
    ['SCHEMAS_NONE', 'a service without schemas', service({ schemas: [] })],
    ['SCHEMA_VERSION_INVALID', 'a schema of version 0', service({ schemas: [{ name: 'price', version: 0 }] })],
    ['SCHEMA_VERSION_INVALID', 'a record of version 0', append({ schemaVersion: 0 })],
    ['MEDIA_TYPE_INVALID', 'no media type', append({ mediaType: '' })],
    ['MEDIA_TYPE_INVALID', 'a media type with parameters', append({ mediaType: 'text/plain; charset=utf-8' })],
    ['MEDIA_TYPE_INVALID', 'a media type of one half', append({ mediaType: 'text' })],
    ['RECORDS_NONE', 'no records', append({ records: [] })],
    ['PUBLIC_KEY_LENGTH', 'a key of another length', { kind: 'account.create', publicKey: new Uint8Array(1311) }],
    ['PUBLIC_KEY_LENGTH', 'a new key of another length', { kind: 'key.rotate', publicKey: new Uint8Array(1311), ...possession }],
    ['PUBLIC_KEY_LENGTH', "a joiner's key of another length", { ...join, publicKey: new Uint8Array(1313) }],
    ['WEIGHT_INVALID', 'a joiner without weight', { ...join, weight: 0 }],
    ['WEIGHT_INVALID', 'a joiner heavier than all may be', { ...join, weight: 2 ** 50 + 1 }],
    ['WEIGHT_INVALID', 'a weight of nothing', { kind: 'validator.weight', address: account(3), weight: 0 }],
    ['PARAMETER_OUT_OF_RANGE', 'a parameter below its range', { kind: 'parameters.change', name: 'keyBytesMax', value: 0 }],
    ['PARAMETER_OUT_OF_RANGE', 'a parameter above its range', { kind: 'parameters.change', name: 'keyBytesMax', value: 1025 }],
  ];

  // @mutation packages/ledger/src/operation-rules.ts
  // - weight >= 1 && weight <= TOTAL_WEIGHT_MAX;
  // + weight >= 0 && weight <= TOTAL_WEIGHT_MAX;
  // @mutation packages/ledger/src/operation-rules.ts
  // - weight >= 1 && weight <= TOTAL_WEIGHT_MAX;
  // + weight >= 1;
  // @mutation packages/ledger/src/operation-rules.ts
  // - return checkParameter(operation.name, operation.value);
  // + return ok(undefined);
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (!isName(service.name)) return
  // + if (service.name === 'x') return
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (!isName(schema.name)) return
  // + if (schema.name === 'x') return
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (!isName(append.service)) return
  // + if (append.service === 'x') return
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (!isName(append.schema)) return
  // + if (append.schema === 'x') return
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (service.owners.length === 0) return fail({ code: 'OWNERS_NONE' });
  // +
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (schemas.length === 0) return fail({ code: 'SCHEMAS_NONE' });
  // +
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (schema.version < 1)
  // + if (schema.version < 0)
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (append.schemaVersion < 1)
  // + if (append.schemaVersion < 0)
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (!isMediaType(append.mediaType))
  // + if (append.mediaType === 'x')
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (append.records.length === 0) return fail({ code: 'RECORDS_NONE' });
  // +
  // @mutation packages/ledger/src/operation-rules.ts
  // - return length === expected ?
  // + return length <= expected ?
  test.each(malformed)('for %s: %s', (code, _name, operation) => {
    expect(refusal([append(), operation])).toMatchObject({ code, operation: 1 });
  });

  const unordered: [code: string, service: ServiceCreate][] = [
    ['OWNERS_UNORDERED', service({ owners: [account(2), account(1)] })],
    ['OWNERS_UNORDERED', service({ owners: [account(1), account(1)] })],
    ['WRITERS_UNORDERED', service({ writers: [account(2), account(1)] })],
    ['WRITERS_UNORDERED', service({ writers: [account(1), account(1)] })],
    ['SCHEMAS_UNORDERED', service({ schemas: ['b', 'a'].map((name) => ({ name, version: 1 })) })],
    ['SCHEMAS_UNORDERED', service({ schemas: [2, 1].map((version) => ({ name: 'price', version })) })],
    ['SCHEMAS_UNORDERED', service({ schemas: [1, 1].map((version) => ({ name: 'price', version })) })],
  ];

  // @mutation packages/ledger/src/operation-rules.ts
  // - if (!ascending(service.owners)) return fail({ code: 'OWNERS_UNORDERED' });
  // +
  // @mutation packages/ledger/src/operation-rules.ts
  // - if (!ascending(service.writers)) return fail({ code: 'WRITERS_UNORDERED' });
  // +
  // @mutation packages/ledger/src/operation-rules.ts
  // - compareBytes(addresses[index - 1] as Address, address) < 0
  // + compareBytes(addresses[index - 1] as Address, address) <= 0
  // @mutation packages/ledger/src/operation-rules.ts
  // - a.name === b.name && a.version < b.version
  // + a.name === b.name && a.version <= b.version
  test.each(unordered)('where a set has another order or a repetition: %s', (code, operation) => {
    expect(refusal([operation])).toMatchObject({ code });
  });

  test('where a text is not UTF-8', () => {
    const operations = [
      append({ service: 'first', schema: 'second', mediaType: 'third/x', records: [{ key: 'fourth', payload: utf8('x') }] }),
    ];
    const founded = [service({ name: 'first', schemas: [{ name: 'second', version: 1 }] })];
    for (const [text, within] of [
      ...['first', 'second', 'third', 'fourth'].map((word) => [word, operations] as const),
      ['first', founded],
      ['second', founded],
    ] as const) {
      const bytes = encoded(within);
      bytes[Buffer.from(bytes).indexOf(text)] = 0xff;
      expect(decodeTransaction(bytes, genesis)).toMatchObject({ ok: false, error: { code: 'TEXT_INVALID', operation: 0 } });
    }
  });

  test('in any other encoding of itself, and for random bytes, without throwing', () => {
    const original = encoded([append(), service(), { kind: 'validator.recover', nonce: new Uint8Array(16) }]);
    const mutated = fc.tuple(fc.nat(original.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(3)).map(([at, flip, cut]) => {
      const bytes = original.slice(0, original.length - (cut === 0 ? at : 0));
      bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 400 })), (bytes) => {
        const decoded = decodeTransaction(bytes, genesis);
        if (decoded.ok) expect(encodeTransaction(genesis, decoded.value.contents, decoded.value.signature)).toEqual(bytes);
        else expect(decoded.error.code).toMatch(/^[A-Z_0-9]+$/);
      }),
      { numRuns: 2000 },
    );
  });
});
