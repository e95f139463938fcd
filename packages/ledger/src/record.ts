import { ContainerType, type ValueOf } from '@chainsafe/ssz';
import { fromUtf8, utf8 } from '@nacre/base';
import { type Codec, convertedCodec, FORMAT_VERSION, HashType, Uint53Type, VersionType } from '@nacre/consensus';
import { PARAMETER_RULES } from './parameters.ts';
import type { ServiceRecord } from './service-record.ts';
import { KeyType, MediaTypeType, NameType, PayloadType, Uint32Type } from './wire.ts';

export type { ServiceRecord } from './service-record.ts';

/** In a proof, a record is a field of this type. */
export const RecordType = new ContainerType({
  version: VersionType,
  service: NameType,
  index: Uint53Type,
  height: Uint53Type,
  timeMs: Uint53Type,
  txId: HashType,
  account: HashType,
  schema: NameType,
  schemaVersion: Uint32Type,
  mediaType: MediaTypeType,
  key: KeyType,
  payload: PayloadType,
});

/** Above the longest encoding of a record in bytes. */
export const RECORD_BYTES_MAX = PARAMETER_RULES.recordBytesMax.max + 2048;

export function recordToWire(record: ServiceRecord): ValueOf<typeof RecordType> {
  const { service, schema, mediaType, key, ...rest } = record;
  return { ...rest, version: FORMAT_VERSION, service: utf8(service), schema: utf8(schema), mediaType: utf8(mediaType), key: utf8(key) };
}

/** @throws {RangeError} where a text is not UTF-8, which a strict codec refuses */
export function recordFromWire(wire: ValueOf<typeof RecordType>): ServiceRecord {
  const { version: _, ...rest } = wire;
  return { ...rest, service: text(wire.service), schema: text(wire.schema), mediaType: text(wire.mediaType), key: text(wire.key) };
}

export const recordCodec: Codec<ServiceRecord> = convertedCodec(RecordType, {
  name: 'record',
  bytesMax: RECORD_BYTES_MAX,
  toWire: recordToWire,
  fromWire: recordFromWire,
});

function text(bytes: Uint8Array): string {
  const decoded = fromUtf8(bytes);
  if (decoded === undefined) throw new RangeError('not UTF-8');
  return decoded;
}
