import { toHex } from '@nacre/base';
import { formatAddress, SCHEMES } from '@nacre/crypto';
import {
  chainParameters,
  createGenesis,
  formatGenesis,
  LedgerError,
  type NewGenesis,
  PARAMETER_RULES,
  type ParameterName,
  parseGenesis,
} from '@nacre/ledger';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FakeSigner } from './support/fake-keys.ts';

const keys = [0, 1, 2, 3].map((index) => new FakeSigner(`validator ${index}`).publicKey);

function values(more: Partial<NewGenesis> = {}): NewGenesis {
  const validators = keys.map((publicKey, index) => ({ name: `node${index}`, publicKey, weight: 1000 }));
  return { network: 'market/test', timeMs: 1_700_000_000_000, scheme: 'ml-dsa-44', validators, ...more };
}

const genesis = createGenesis(values());

type Json = { [member: string]: unknown };
interface File extends Json {
  readonly validators: Json[];
  readonly parameters: Json;
}

/** The genesis file as JSON. */
const fileOf = () => JSON.parse(formatGenesis(genesis)) as File;

/** The genesis file, changed. */
function changed(change: (file: File) => void): string {
  const file = fileOf();
  change(file);
  return JSON.stringify(file);
}

/** The genesis file with something else at a path such as `validators[1].weight`; undefined removes what is there. */
function withAt(path: string, value: unknown): string {
  return changed((file) => {
    const steps = path.split(/[.[\]]+/).filter((step) => step !== '');
    const last = steps.pop() as string;
    const parent = steps.reduce((at: Json, step) => at[step] as Json, file);
    parent[last] = value;
  });
}

function refusalOf(text: string) {
  const parsed = parseGenesis(text);
  return parsed.ok ? null : parsed.error;
}

describe('a genesis file', () => {
  test('comes back as it was written', () => {
    const parsed = parseGenesis(formatGenesis(genesis));
    expect(parsed).toEqual({ ok: true, value: genesis });
  });

  test('spells out every parameter, so that a later default changes no network', () => {
    expect(Object.keys(fileOf().parameters)).toEqual(Object.keys(PARAMETER_RULES));
    expect(refusalOf(withAt('parameters.blockBytesMax', undefined))).toMatchObject({
      code: 'GENESIS_MALFORMED',
      path: 'parameters.blockBytesMax',
      problem: 'missing',
    });
  });

  test('has one identity, whatever its spaces, its order of members and its stated addresses', () => {
    expect(toHex(genesis.hash)).toBe('d0f94e4bcaafbfc9b83d26b42812450a208b4e226148705f7b3826263c86fea8');
    const bare = changed((file) => {
      for (const validator of file.validators) delete validator.address;
    });
    const reversed = Object.fromEntries(Object.entries(JSON.parse(bare) as Json).reverse());
    for (const text of [bare, JSON.stringify(reversed, null, 7)])
      expect(parseGenesis(text)).toMatchObject({ ok: true, value: { hash: genesis.hash } });
  });

  // @mutation packages/ledger/src/genesis.ts
  // - parameters: content.parameters,
  // + parameters: {},
  test('has another identity when anything else in it changes', () => {
    const texts = [
      withAt('network', 'other'),
      withAt('genesisTimeMs', 5),
      withAt('validators[0].name', 'other'),
      withAt('validators[0].weight', 999),
      changed((file) => file.validators.reverse()),
      withAt('allowLargeWeights', true),
      withAt('parameters.keyBytesMax', 255),
    ];
    const hashes = texts.map((text) => {
      const parsed = parseGenesis(text);
      return parsed.ok ? toHex(parsed.value.hash) : expect.unreachable(parsed.error.code);
    });
    expect(new Set([toHex(genesis.hash), ...hashes]).size).toBe(texts.length + 1);
  });

  test('gives its validators in a committee and their addresses in text', () => {
    expect(genesis.committee.validators.map(({ address }) => toHex(address)).sort()).toEqual(
      genesis.validators.map(({ address }) => toHex(address)).sort(),
    );
    expect(fileOf().validators.map(({ address }) => address)).toEqual(genesis.validators.map(({ address }) => formatAddress(address)));
    expect(genesis.context).toEqual({ genesisHash: genesis.hash, chain: 0 });
  });
});

describe('a genesis file is refused', () => {
  test.each<[string, string, unknown]>([
    ['an unknown member', 'nonsense', 1],
    ['an unknown member of a validator', 'validators[1].nonsense', 1],
    ['an unknown parameter', 'parameters.nonsense', 1],
    ['a network that is no name', 'network', 'No Name'],
    ['no network', 'network', undefined],
    ['a time that is no number', 'genesisTimeMs', '5'],
    ['a time before 1970', 'genesisTimeMs', -1],
    ['a switch that says no', 'allowLargeWeights', false],
    ['validators that are no list', 'validators', {}],
    ['a validator that is no object', 'validators[2]', null],
    ['a validator whose name is none', 'validators[0].name', ''],
    ['a weight that is no number', 'validators[0].weight', '1'],
    ['a key that is no base64', 'validators[0].publicKey', '***'],
    ['a key that is no text', 'validators[0].publicKey', 5],
    ['a key of another length', 'validators[0].publicKey', 'AAAA'],
    ['an address that is none', 'validators[0].address', 'nacre1x'],
    ['an address that is no text', 'validators[0].address', 7],
    ['parameters that are no object', 'parameters', []],
    ['a parameter that is no number', 'parameters.keyBytesMax', '64'],
  ])('with %s', (_name, path, value) => {
    expect(refusalOf(withAt(path, value))).toMatchObject({ code: 'GENESIS_MALFORMED', path });
  });

  // @mutation packages/ledger/src/base64.ts
  // - return btoa(binary) === text ?
  // + return btoa(binary) !== '' ?
  test('with a second text for the same key', () => {
    const publicKey = fileOf().validators[0]?.publicKey as string;
    // 1,312 bytes leave two characters for the last byte, of which four bits are unused.
    const other = publicKey.replace(/.==$/, (end) => `${String.fromCharCode(end.charCodeAt(0) + 1)}==`);
    expect(other).not.toBe(publicKey);
    expect(refusalOf(withAt('validators[0].publicKey', other))).toMatchObject({
      code: 'GENESIS_MALFORMED',
      path: 'validators[0].publicKey',
    });
  });

  // @mutation packages/ledger/src/parse-genesis.ts
  // - if (!bytesEqual(stated, address)) return
  // + if (stated.length !== address.length) return
  test('with the address of another key', () => {
    const address = formatAddress(genesis.validators[1]?.address as Uint8Array);
    expect(refusalOf(withAt('validators[0].address', address))).toMatchObject({ code: 'ADDRESS_MISMATCH', path: 'validators[0].address' });
  });

  // @mutation packages/ledger/src/parse-genesis.ts
  // - if (file.version !== GENESIS_VERSION)
  // + if (file.version < GENESIS_VERSION)
  test('of another version', () => {
    expect(refusalOf(withAt('version', 2))).toMatchObject({ code: 'GENESIS_VERSION', value: 2, expected: 1 });
  });

  test('of an unknown signature scheme', () => {
    expect(refusalOf(withAt('signatureScheme', 'ed25519'))).toMatchObject({ code: 'SCHEME_UNKNOWN' });
    expect(refusalOf(withAt('signatureScheme', 'toString'))).toMatchObject({ code: 'SCHEME_UNKNOWN' });
  });

  const committees: [code: string, name: string, path: string, value: unknown][] = [
    ['COMMITTEE_EMPTY', 'no validators', 'validators', []],
    ['ADDRESS_DUPLICATE', 'one key twice', 'validators[1]', fileOf().validators[0]],
    ['WEIGHT_INVALID', 'a weight of zero', 'validators[0].weight', 0],
    ['WEIGHT_INVALID', 'a negative weight', 'validators[0].weight', -1],
    ['WEIGHT_INVALID', 'half a weight', 'validators[0].weight', 0.5],
    ['WEIGHT_OVERFLOW', 'weights beyond 2^50', 'validators[0].weight', 2 ** 50],
    ['WEIGHT_TOO_LARGE', 'a validator of a third', 'validators[0].weight', 1500],
    ['WEIGHT_TOO_LARGE', 'three validators', 'validators', fileOf().validators.slice(1)],
  ];

  // @mutation packages/ledger/src/parse-genesis.ts
  // - const committee = Committee.create(validators, { allowLargeWeights: content.allowLargeWeights });
  // + const committee = Committee.create(validators, { allowLargeWeights: true });
  test.each(committees)('for %s: %s', (code, _name, path, value) => {
    expect(refusalOf(withAt(path, value))).toMatchObject({ code, path: 'validators' });
  });

  test('for a validator of a third, unless it says that it wants that', () => {
    const large = changed((file) => {
      Object.assign(file.validators[0] as Json, { weight: 1500 });
      file.allowLargeWeights = true;
    });
    expect(parseGenesis(large)).toMatchObject({ ok: true, value: { allowLargeWeights: true } });
  });

  // @mutation packages/ledger/src/parameters.ts
  // - value >= min && value <= max
  // + value >= min && value <= max + 1
  // @mutation packages/ledger/src/parameters.ts
  // - value >= min && value <= max
  // + value >= min - 1 && value <= max
  test.each(Object.keys(PARAMETER_RULES) as ParameterName[])('when %s is out of its range', (name) => {
    const { min, max } = PARAMETER_RULES[name];
    for (const value of [min - 1, max + 1, min + 0.5]) {
      expect(refusalOf(withAt(`parameters.${name}`, value))).toMatchObject({
        code: 'PARAMETER_OUT_OF_RANGE',
        path: `parameters.${name}`,
        value,
      });
    }
  });

  // @mutation packages/ledger/src/parameters.ts
  // - if (parameters.transactionBytesMax > parameters.blockBytesMax) {
  // + if (parameters.transactionBytesMax > 2 * parameters.blockBytesMax) {
  test('when a transaction may be larger than a block', () => {
    const text = changed((file) => Object.assign(file.parameters, { blockBytesMax: 65_536, transactionBytesMax: 65_537 }));
    expect(refusalOf(text)).toMatchObject({ code: 'PARAMETERS_INCONSISTENT' });
  });

  test('when it is too large, no JSON, or no object', () => {
    expect(refusalOf(' '.repeat(1024 * 1024 + 1))).toMatchObject({ code: 'GENESIS_TOO_LARGE' });
    for (const text of ['', '{', 'null', '[]', '5']) expect(refusalOf(text)).toMatchObject({ code: 'GENESIS_MALFORMED', path: '' });
  });

  test('whatever stands in it, without throwing', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.nat(), (json, place, length) => {
        const text = formatGenesis(genesis);
        const at = place % text.length;
        for (const damaged of [json, text.slice(0, at) + json + text.slice(at + (length % 100))]) {
          const parsed = parseGenesis(damaged);
          expect(parsed.ok || typeof parsed.error.code === 'string').toBe(true);
        }
      }),
    );
  });
});

describe('a new genesis', () => {
  test('has the defaults for what it does not name', () => {
    expect(genesis.parameters).toEqual(chainParameters());
    expect(createGenesis(values({ parameters: { keyBytesMax: 64 } })).parameters).toEqual({ ...chainParameters(), keyBytesMax: 64 });
  });

  test('may leave validators without names', () => {
    const unnamed = createGenesis(values({ validators: keys.map((publicKey) => ({ publicKey, weight: 1 })) }));
    expect(parseGenesis(formatGenesis(unnamed))).toEqual({ ok: true, value: unnamed });
  });

  test.each<[string, Partial<NewGenesis>]>([
    ['GENESIS_MALFORMED', { network: 'No Name' }],
    ['GENESIS_MALFORMED', { timeMs: 0.5 }],
    ['GENESIS_MALFORMED', { validators: [{ publicKey: new Uint8Array(5), weight: 1 }] }],
    ['GENESIS_MALFORMED', { validators: [{ name: ' ', publicKey: new Uint8Array(SCHEMES['ml-dsa-44'].publicKeyBytes), weight: 1 }] }],
    ['COMMITTEE_EMPTY', { validators: [] }],
    ['PARAMETER_OUT_OF_RANGE', { parameters: { keyBytesMax: 0 } }],
  ])('is refused with %s before it is written', (code, more) => {
    const make = () => createGenesis(values(more));
    expect(make).toThrow(LedgerError);
    expect(make).toThrow(expect.objectContaining({ code: 'INPUT_INVALID', fields: { refusal: expect.objectContaining({ code }) } }));
  });
});
