import { type Address, compareBytes, fail, ok, type Refusal, type Result, TOTAL_WEIGHT_MAX, unreachable, utf8 } from '@nacre/base';
import { SCHEMES, type SignatureScheme } from '@nacre/crypto';
import { isMediaType, isName } from './names.ts';
import type { Operation, RecordAppend, Schema, ServiceDefinition } from './operation.ts';
import { type ChainParameters, checkParameter } from './parameters.ts';

/** What the rules below need to know of the network. */
export interface OperationContext {
  readonly scheme: SignatureScheme;
  readonly parameters: ChainParameters;
}

/**
 * The rules that a transaction's operations must meet whatever the state is. A block that holds a transaction which breaks one is invalid.
 *
 * @returns codes `OPERATIONS_NONE`, `OPERATIONS_TOO_MANY`, `RECORDS_TOO_MANY`, and those of single operations, each with its `operation` index
 */
export function checkOperations(operations: readonly Operation[], context: OperationContext): Result<void, Refusal> {
  const { operationsMax, recordsPerTransactionMax } = context.parameters;
  if (operations.length === 0) return fail({ code: 'OPERATIONS_NONE' });
  if (operations.length > operationsMax) return fail({ code: 'OPERATIONS_TOO_MANY', count: operations.length, max: operationsMax });
  let records = 0;
  for (const [index, operation] of operations.entries()) {
    const checked = checkOperation(operation, context);
    if (!checked.ok) return fail({ ...checked.error, operation: index });
    if (operation.kind === 'record.append') records += operation.records.length;
  }
  if (records > recordsPerTransactionMax) return fail({ code: 'RECORDS_TOO_MANY', count: records, max: recordsPerTransactionMax });
  return ok(undefined);
}

function checkOperation(operation: Operation, { scheme, parameters }: OperationContext): Result<void, Refusal> {
  switch (operation.kind) {
    case 'account.create':
    case 'key.rotate':
      return checkPublicKey(operation.publicKey, scheme);
    case 'service.create':
    case 'service.update':
      return checkService(operation, parameters);
    case 'record.append':
      return checkAppend(operation, parameters);
    case 'validator.join': {
      const key = checkPublicKey(operation.publicKey, scheme);
      return key.ok ? checkWeight(operation.weight) : key;
    }
    case 'validator.weight':
      return checkWeight(operation.weight);
    case 'parameters.change':
      return checkParameter(operation.name, operation.value);
    case 'validator.recover':
    case 'validator.leave':
    case 'validator.rehabilitate':
    case 'proposal.approve':
    case 'evidence':
      return ok(undefined);
    default:
      return unreachable(operation);
  }
}

function checkPublicKey({ length }: Uint8Array, scheme: SignatureScheme): Result<void, Refusal> {
  const expected = SCHEMES[scheme].publicKeyBytes;
  return length === expected ? ok(undefined) : fail({ code: 'PUBLIC_KEY_LENGTH', length, expected });
}

function checkWeight(weight: number): Result<void, Refusal> {
  const isWeight = weight >= 1 && weight <= TOTAL_WEIGHT_MAX;
  return isWeight ? ok(undefined) : fail({ code: 'WEIGHT_INVALID', weight, weightMax: TOTAL_WEIGHT_MAX });
}

function checkService(service: ServiceDefinition, parameters: ChainParameters): Result<void, Refusal> {
  const { serviceOwnersMax, serviceWritersMax, serviceSchemasMax } = parameters;
  if (!isName(service.name)) return fail({ code: 'NAME_INVALID', what: 'service', name: service.name });
  if (service.owners.length === 0) return fail({ code: 'OWNERS_NONE' });
  if (service.owners.length > serviceOwnersMax)
    return fail({ code: 'OWNERS_TOO_MANY', count: service.owners.length, max: serviceOwnersMax });
  if (service.writers.length > serviceWritersMax)
    return fail({ code: 'WRITERS_TOO_MANY', count: service.writers.length, max: serviceWritersMax });
  if (!ascending(service.owners)) return fail({ code: 'OWNERS_UNORDERED' });
  if (!ascending(service.writers)) return fail({ code: 'WRITERS_UNORDERED' });
  return checkSchemas(service.schemas, serviceSchemasMax);
}

function checkSchemas(schemas: readonly Schema[], max: number): Result<void, Refusal> {
  if (schemas.length === 0) return fail({ code: 'SCHEMAS_NONE' });
  if (schemas.length > max) return fail({ code: 'SCHEMAS_TOO_MANY', count: schemas.length, max });
  let previous: Schema | undefined;
  for (const schema of schemas) {
    if (!isName(schema.name)) return fail({ code: 'NAME_INVALID', what: 'schema', name: schema.name });
    if (schema.version < 1) return fail({ code: 'SCHEMA_VERSION_INVALID', schema: schema.name, version: schema.version });
    if (previous !== undefined && !schemaBefore(previous, schema)) return fail({ code: 'SCHEMAS_UNORDERED' });
    previous = schema;
  }
  return ok(undefined);
}

function checkAppend(append: RecordAppend, parameters: ChainParameters): Result<void, Refusal> {
  const { keyBytesMax, recordBytesMax } = parameters;
  if (!isName(append.service)) return fail({ code: 'NAME_INVALID', what: 'service', name: append.service });
  if (!isName(append.schema)) return fail({ code: 'NAME_INVALID', what: 'schema', name: append.schema });
  if (append.schemaVersion < 1) return fail({ code: 'SCHEMA_VERSION_INVALID', schema: append.schema, version: append.schemaVersion });
  if (!isMediaType(append.mediaType)) return fail({ code: 'MEDIA_TYPE_INVALID', mediaType: append.mediaType });
  if (append.records.length === 0) return fail({ code: 'RECORDS_NONE' });
  for (const [record, { key, payload }] of append.records.entries()) {
    // A key of n characters has at most 3 n bytes, so short ones need not be encoded to be measured.
    if (key.length * 3 > keyBytesMax && utf8(key).length > keyBytesMax) return fail({ code: 'KEY_TOO_LONG', record, max: keyBytesMax });
    if (payload.length > recordBytesMax) return fail({ code: 'RECORD_TOO_LARGE', record, bytes: payload.length, max: recordBytesMax });
  }
  return ok(undefined);
}

/** One order and no repetition: a set of accounts has one encoding. */
function ascending(addresses: readonly Address[]): boolean {
  return addresses.every((address, index) => index === 0 || compareBytes(addresses[index - 1] as Address, address) < 0);
}

function schemaBefore(a: Schema, b: Schema): boolean {
  return a.name < b.name || (a.name === b.name && a.version < b.version);
}
