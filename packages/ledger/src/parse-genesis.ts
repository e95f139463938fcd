import { type Address, bytesEqual, fail, ok, type Refusal, type Result } from '@nacre/base';
import { Committee, type Validator } from '@nacre/consensus';
import { addressOf, formatAddress, parseAddress, SCHEMES, type SignatureScheme } from '@nacre/crypto';
import { base64Decode } from './base64.ts';
import { LedgerError } from './errors.ts';
import { GENESIS_VERSION, type Genesis, type GenesisContent, type GenesisValidator, genesisHash } from './genesis.ts';
import { isName } from './names.ts';
import { type ChainParameters, chainParameters, checkParameters, PARAMETER_NAMES, PROTOCOL_VERSION_MAX } from './parameters.ts';

/** Characters of a genesis file at most; a hundred ML-DSA-87 keys take 350,000. Beyond: refused unread. */
const GENESIS_CHARACTERS_MAX = 1024 * 1024;

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a genesis file, refusing whatever is unknown, missing or out of range.
 *
 * @returns codes `GENESIS_TOO_LARGE`, `GENESIS_MALFORMED` (with the JSON path), `GENESIS_VERSION`, `SCHEME_UNKNOWN`, `ADDRESS_MISMATCH`,
 * `PARAMETER_OUT_OF_RANGE`, `PARAMETERS_INCONSISTENT`, `PROTOCOL_UNKNOWN`, and those of `Committee.create` for the validators and their weights
 */
export function parseGenesis(text: string): Result<Genesis, Refusal> {
  if (text.length > GENESIS_CHARACTERS_MAX)
    return fail({ code: 'GENESIS_TOO_LARGE', characters: text.length, max: GENESIS_CHARACTERS_MAX });
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    return malformed('', 'not JSON');
  }
  if (!isObject(file)) return malformed('', 'not an object');
  if (file.version !== GENESIS_VERSION)
    return fail({ code: 'GENESIS_VERSION', path: 'version', value: file.version, expected: GENESIS_VERSION });
  const known = ['version', 'network', 'genesisTimeMs', 'signatureScheme', 'allowLargeWeights', 'validators', 'parameters'];
  const unknown = unknownKey(file, known);
  if (unknown !== undefined) return malformed(unknown, 'unknown key');
  if (typeof file.network !== 'string' || !isName(file.network)) return malformed('network', 'not a name');
  if (!isCount(file.genesisTimeMs)) return malformed('genesisTimeMs', 'not a time in ms since 1970');
  if ('allowLargeWeights' in file && file.allowLargeWeights !== true) return malformed('allowLargeWeights', 'may only be true or left out');
  const scheme = file.signatureScheme;
  if (typeof scheme !== 'string' || !Object.hasOwn(SCHEMES, scheme))
    return fail({ code: 'SCHEME_UNKNOWN', path: 'signatureScheme', value: scheme });
  const validators = parseValidators(file.validators, scheme as SignatureScheme);
  if (!validators.ok) return validators;
  const parameters = parseParameters(file.parameters);
  if (!parameters.ok) return parameters;
  return assembleGenesis({
    network: file.network,
    timeMs: file.genesisTimeMs,
    scheme: scheme as SignatureScheme,
    allowLargeWeights: file.allowLargeWeights === true,
    validators: validators.value,
    parameters: parameters.value,
  });
}

/** What a new network is made of; parameters that are left out get their defaults, which the file then spells out. */
export interface NewGenesis {
  readonly network: string;
  readonly timeMs: number;
  readonly scheme: SignatureScheme;
  readonly validators: readonly { readonly name?: string; readonly publicKey: Uint8Array; readonly weight: number }[];
  readonly parameters?: Partial<ChainParameters>;
  readonly allowLargeWeights?: boolean;
}

/** @throws {LedgerError} code `INPUT_INVALID`, with the refusal that reading the file would give */
export function createGenesis(values: NewGenesis): Genesis {
  const validators = values.validators.map(({ name, publicKey, weight }) => ({
    name,
    publicKey,
    weight,
    address: addressOf(values.scheme, publicKey),
  }));
  const parameters = chainParameters(values.parameters);
  const checked = checkNewGenesis(values, parameters);
  const allowLargeWeights = values.allowLargeWeights === true;
  const { network, timeMs, scheme } = values;
  const genesis = checked.ok ? assembleGenesis({ network, timeMs, scheme, allowLargeWeights, validators, parameters }) : checked;
  if (genesis.ok) return genesis.value;
  throw new LedgerError('INPUT_INVALID', `no genesis can be made of this: ${genesis.error.code}`, { fields: { refusal: genesis.error } });
}

function checkNewGenesis(values: NewGenesis, parameters: ChainParameters): Result<void, Refusal> {
  if (!isName(values.network)) return malformed('network', 'not a name');
  if (!isCount(values.timeMs)) return malformed('genesisTimeMs', 'not a time in ms since 1970');
  for (const [index, { name, publicKey }] of values.validators.entries()) {
    if (name !== undefined && !isName(name)) return malformed(`validators[${index}].name`, 'not a name');
    if (publicKey.length !== SCHEMES[values.scheme].publicKeyBytes) return malformed(`validators[${index}].publicKey`, 'wrong length');
  }
  return checkParameters(parameters);
}

function assembleGenesis(content: Omit<GenesisContent, 'validators'> & Pick<Genesis, 'validators'>): Result<Genesis, Refusal> {
  const validators: Validator[] = content.validators.map(({ address, publicKey, weight }) => ({ address, publicKey, weight }));
  const { protocolVersion } = content.parameters;
  if (protocolVersion > PROTOCOL_VERSION_MAX) return fail({ code: 'PROTOCOL_UNKNOWN', protocolVersion, known: PROTOCOL_VERSION_MAX });
  const committee = Committee.create(validators, { allowLargeWeights: content.allowLargeWeights });
  if (!committee.ok) return fail({ ...committee.error, path: 'validators' });
  const hash = genesisHash(content);
  return ok({ ...content, hash, committee: committee.value, context: { genesisHash: hash, chain: 0 } });
}

function parseValidators(list: unknown, scheme: SignatureScheme): Result<GenesisValidator[], Refusal> {
  if (!Array.isArray(list)) return malformed('validators', 'not a list');
  const validators: GenesisValidator[] = [];
  for (const [index, entry] of list.entries()) {
    const path = `validators[${index}]`;
    if (!isObject(entry)) return malformed(path, 'not an object');
    const unknown = unknownKey(entry, ['name', 'publicKey', 'weight', 'address']);
    if (unknown !== undefined) return malformed(`${path}.${unknown}`, 'unknown key');
    if ('name' in entry && (typeof entry.name !== 'string' || !isName(entry.name))) return malformed(`${path}.name`, 'not a name');
    if (typeof entry.weight !== 'number') return malformed(`${path}.weight`, 'not a number');
    const publicKey = base64Decode(entry.publicKey);
    if (publicKey === undefined) return malformed(`${path}.publicKey`, 'not base64');
    if (publicKey.length !== SCHEMES[scheme].publicKeyBytes)
      return malformed(`${path}.publicKey`, `not ${SCHEMES[scheme].publicKeyBytes} bytes`);
    const address = addressOf(scheme, publicKey);
    const stated = 'address' in entry ? statedAddress(entry.address) : address;
    if (stated === undefined) return malformed(`${path}.address`, 'not an address');
    if (!bytesEqual(stated, address)) return fail({ code: 'ADDRESS_MISMATCH', path: `${path}.address`, expected: formatAddress(address) });
    validators.push({ name: entry.name as string | undefined, address, publicKey, weight: entry.weight });
  }
  return ok(validators);
}

function parseParameters(object: unknown): Result<ChainParameters, Refusal> {
  if (!isObject(object)) return malformed('parameters', 'not an object');
  const unknown = unknownKey(object, PARAMETER_NAMES);
  if (unknown !== undefined) return malformed(`parameters.${unknown}`, 'unknown key');
  for (const name of PARAMETER_NAMES) {
    // Defaults are for new files: in an existing one, a parameter that is left out could mean something else to another version.
    if (!Object.hasOwn(object, name)) return malformed(`parameters.${name}`, 'missing');
    if (typeof object[name] !== 'number') return malformed(`parameters.${name}`, 'not a number');
  }
  const parameters = chainParameters(object);
  const checked = checkParameters(parameters);
  return checked.ok ? ok(parameters) : checked;
}

function statedAddress(text: unknown): Address | undefined {
  const parsed = typeof text === 'string' ? parseAddress(text) : undefined;
  return parsed?.ok ? parsed.value : undefined;
}

function malformed(path: string, problem: string): { readonly ok: false; readonly error: Refusal } {
  return fail({ code: 'GENESIS_MALFORMED', path, problem });
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function unknownKey(object: Json, known: readonly string[]): string | undefined {
  return Object.keys(object).find((key) => !known.includes(key));
}
