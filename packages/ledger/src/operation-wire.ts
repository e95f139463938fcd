import { ContainerType, ListCompositeType, UnionType, type ValueOf } from '@chainsafe/ssz';
import { fail, fromUtf8, ok, type Refusal, type Result, utf8 } from '@nacre/base';
import {
  EquivocationType,
  equivocationFromWire,
  equivocationToWire,
  HashType,
  PublicKeyType,
  SignatureType,
  Uint53Type,
} from '@nacre/consensus';
import type { NewRecord, Operation, OperationKind, ServiceDefinition } from './operation.ts';
import { isParameterName, PARAMETER_RULES } from './parameters.ts';
import { AddressedType, ParametersChangeType, WeightType } from './set-change-wire.ts';
import { KeyType, MediaTypeType, NameType, NonceType, PayloadType, Uint32Type } from './wire.ts';

const SchemaType = new ContainerType({ name: NameType, version: Uint32Type });

/** Shared by the operations that define a service and by its value in the state. */
export const ServiceDefinitionType = new ContainerType({
  name: NameType,
  owners: new ListCompositeType(HashType, PARAMETER_RULES.serviceOwnersMax.max),
  writers: new ListCompositeType(HashType, PARAMETER_RULES.serviceWritersMax.max),
  schemas: new ListCompositeType(SchemaType, PARAMETER_RULES.serviceSchemasMax.max),
  shard: Uint32Type,
  retentionMs: Uint53Type,
});

const AccountCreateType = new ContainerType({ publicKey: PublicKeyType });
const NewRecordType = new ContainerType({ key: KeyType, payload: PayloadType });
const RecordAppendType = new ContainerType({
  service: NameType,
  schema: NameType,
  schemaVersion: Uint32Type,
  mediaType: MediaTypeType,
  records: new ListCompositeType(NewRecordType, PARAMETER_RULES.recordsPerTransactionMax.max),
});
const ValidatorRecoverType = new ContainerType({ nonce: NonceType });

const ValidatorJoinType = new ContainerType({
  address: HashType,
  publicKey: PublicKeyType,
  weight: Uint53Type,
  proofOfPossession: SignatureType,
});
const ProposalApproveType = new ContainerType({ id: HashType });
const KeyRotateType = new ContainerType({ publicKey: PublicKeyType, proofOfPossession: SignatureType });
const EvidenceType = new ContainerType({ equivocation: EquivocationType });

const SELECTOR = {
  'account.create': 0,
  'service.create': 1,
  'service.update': 2,
  'record.append': 3,
  'validator.recover': 4,
  'validator.join': 5,
  'validator.leave': 6,
  'validator.weight': 7,
  'validator.rehabilitate': 8,
  'parameters.change': 9,
  'proposal.approve': 10,
  'key.rotate': 11,
  evidence: 12,
} as const satisfies Record<OperationKind, number>;

/** Every kind of operation that there is. */
export const OPERATION_KINDS: readonly string[] = Object.keys(SELECTOR);

/** Later operations take the selectors after these; a selector says for ever what it says today. */
export const OperationType = new UnionType([
  AccountCreateType,
  ServiceDefinitionType,
  ServiceDefinitionType,
  RecordAppendType,
  ValidatorRecoverType,
  ValidatorJoinType,
  AddressedType,
  WeightType,
  AddressedType,
  ParametersChangeType,
  ProposalApproveType,
  KeyRotateType,
  EvidenceType,
]);

export type WireOperation = ValueOf<typeof OperationType>;
type WireService = ValueOf<typeof ServiceDefinitionType>;
type WireAppend = ValueOf<typeof RecordAppendType>;

export function serviceToWire(service: ServiceDefinition): WireService {
  return {
    name: utf8(service.name),
    owners: [...service.owners],
    writers: [...service.writers],
    schemas: service.schemas.map(({ name, version }) => ({ name: utf8(name), version })),
    shard: service.shard,
    retentionMs: service.retentionMs,
  };
}

/** @returns `TEXT_INVALID` where a name is not UTF-8 */
export function serviceFromWire(wire: WireService): Result<ServiceDefinition, Refusal> {
  const name = fromUtf8(wire.name);
  if (name === undefined) return fail({ code: 'TEXT_INVALID', what: 'service name' });
  const schemas = [];
  for (const schema of wire.schemas) {
    const schemaName = fromUtf8(schema.name);
    if (schemaName === undefined) return fail({ code: 'TEXT_INVALID', what: 'schema name' });
    schemas.push({ name: schemaName, version: schema.version });
  }
  return ok({ name, owners: wire.owners, writers: wire.writers, schemas, shard: wire.shard, retentionMs: wire.retentionMs });
}

export function operationToWire(operation: Operation): WireOperation {
  const selector = SELECTOR[operation.kind];
  switch (operation.kind) {
    case 'account.create':
      return { selector, value: { publicKey: operation.publicKey } };
    case 'service.create':
    case 'service.update':
      return { selector, value: serviceToWire(operation) };
    case 'record.append': {
      const { schemaVersion, records } = operation;
      const wire: WireAppend = {
        service: utf8(operation.service),
        schema: utf8(operation.schema),
        schemaVersion,
        mediaType: utf8(operation.mediaType),
        records: records.map(({ key, payload }) => ({ key: utf8(key), payload })),
      };
      return { selector, value: wire };
    }
    case 'validator.recover':
      return { selector, value: { nonce: operation.nonce } };
    case 'validator.join': {
      const { address, publicKey, weight, proofOfPossession } = operation;
      const wire: ValueOf<typeof ValidatorJoinType> = { address, publicKey, weight, proofOfPossession };
      return { selector, value: wire };
    }
    case 'validator.leave':
    case 'validator.rehabilitate': {
      const wire: ValueOf<typeof AddressedType> = { address: operation.address };
      return { selector, value: wire };
    }
    case 'validator.weight': {
      const wire: ValueOf<typeof WeightType> = { address: operation.address, weight: operation.weight };
      return { selector, value: wire };
    }
    case 'parameters.change': {
      const wire: ValueOf<typeof ParametersChangeType> = { name: utf8(operation.name), value: operation.value };
      return { selector, value: wire };
    }
    case 'proposal.approve':
      return { selector, value: { id: operation.id } };
    case 'key.rotate': {
      const { publicKey, proofOfPossession } = operation;
      const wire: ValueOf<typeof KeyRotateType> = { publicKey, proofOfPossession };
      return { selector, value: wire };
    }
    case 'evidence':
      return { selector, value: { equivocation: equivocationToWire(operation.equivocation) } };
  }
}

/** @returns `TEXT_INVALID` where a name or key is not UTF-8, `PARAMETER_UNKNOWN`, `EVIDENCE_NO_OFFENCE`, `EVIDENCE_UNORDERED` */
export function operationFromWire(wire: WireOperation): Result<Operation, Refusal> {
  switch (wire.selector) {
    case SELECTOR['account.create']:
      return ok({ kind: 'account.create', publicKey: (wire.value as ValueOf<typeof AccountCreateType>).publicKey });
    case SELECTOR['service.create']:
    case SELECTOR['service.update']: {
      const service = serviceFromWire(wire.value as WireService);
      if (!service.ok) return service;
      return ok({ kind: wire.selector === SELECTOR['service.create'] ? 'service.create' : 'service.update', ...service.value });
    }
    case SELECTOR['record.append']:
      return appendFromWire(wire.value as WireAppend);
    case SELECTOR['validator.recover']:
      return ok({ kind: 'validator.recover', nonce: (wire.value as ValueOf<typeof ValidatorRecoverType>).nonce });
    case SELECTOR['parameters.change']:
      return parametersFromWire(wire.value as ValueOf<typeof ParametersChangeType>);
    case SELECTOR['proposal.approve']:
      return ok({ kind: 'proposal.approve', ...(wire.value as ValueOf<typeof ProposalApproveType>) });
    case SELECTOR['key.rotate']:
      return ok({ kind: 'key.rotate', ...(wire.value as ValueOf<typeof KeyRotateType>) });
    case SELECTOR.evidence: {
      const read = equivocationFromWire((wire.value as ValueOf<typeof EvidenceType>).equivocation);
      return read.ok ? ok({ kind: 'evidence', equivocation: read.value }) : read;
    }
    default:
      return ok(validatorChangeFromWire(wire));
  }
}

function validatorChangeFromWire({ selector, value }: WireOperation): Operation {
  switch (selector) {
    case SELECTOR['validator.join']:
      return { kind: 'validator.join', ...(value as ValueOf<typeof ValidatorJoinType>) };
    case SELECTOR['validator.weight']:
      return { kind: 'validator.weight', ...(value as ValueOf<typeof WeightType>) };
    case SELECTOR['validator.leave']:
      return { kind: 'validator.leave', ...(value as ValueOf<typeof AddressedType>) };
    default:
      // The union type has refused every selector that is not in the table.
      return { kind: 'validator.rehabilitate', ...(value as ValueOf<typeof AddressedType>) };
  }
}

function parametersFromWire(wire: ValueOf<typeof ParametersChangeType>): Result<Operation, Refusal> {
  const name = fromUtf8(wire.name);
  if (name === undefined || !isParameterName(name)) return fail({ code: 'PARAMETER_UNKNOWN' });
  return ok({ kind: 'parameters.change', name, value: wire.value });
}

function appendFromWire(wire: WireAppend): Result<Operation, Refusal> {
  const service = fromUtf8(wire.service);
  const schema = fromUtf8(wire.schema);
  const mediaType = fromUtf8(wire.mediaType);
  if (service === undefined || schema === undefined || mediaType === undefined)
    return fail({ code: 'TEXT_INVALID', what: 'record.append' });
  const records: NewRecord[] = [];
  for (const { key: wireKey, payload } of wire.records) {
    const key = wireKey.length === 0 ? '' : fromUtf8(wireKey);
    if (key === undefined) return fail({ code: 'TEXT_INVALID', what: 'key', record: records.length });
    records.push({ key, payload });
  }
  return ok({ kind: 'record.append', service, schema, schemaVersion: wire.schemaVersion, mediaType, records });
}
