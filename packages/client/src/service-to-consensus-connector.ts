import { fromUtf8, toHex } from '@nacre/base';
import { JSON_MEDIA_TYPE, type Operation, type Proven, type ServiceRecord } from '@nacre/ledger';
import type { AccountKey } from './account-key.ts';
import type { RecordAnswer, SubmissionAnswer } from './answers.ts';
import { canonicalPayload } from './canonical-payload.ts';
import type { CallOptions, NacreClient, RecordQuery, SubmitOptions } from './client.ts';
import { NacreClientError } from './client-error.ts';
import { type DataSchema, readerFor, schemaText } from './data-schema.ts';

export interface ConnectorOptions {
  /** Signs what is submitted; it must be a writer of the service. Without it the node signs with its own key, where it does so. */
  readonly account?: AccountKey;
}

export interface SubmitDataOptions<Data> extends SubmitOptions {
  readonly schema: DataSchema<Data>;
  /** Under which the service keeps the latest record. */
  readonly key?: string;
  /** See `RecordSubmission.requestId`; without an account only. */
  readonly requestId?: string;
}

export interface RetrieveOptions<Data> extends CallOptions, Omit<RecordQuery, 'service'> {
  /** Records of schemas with another name are left out. */
  readonly schema: DataSchema<Data>;
  /** Fetches and verifies a proof for each record, and gives what that proves. */
  readonly verify?: boolean;
  /** Is told of each record that cannot be read, and the record is left out. Without it, the first one ends the retrieval. */
  readonly onUnreadable?: (error: NacreClientError) => void;
}

/** One item of a service's data. */
export interface ServiceItem<Data> {
  readonly data: Data;
  readonly index: number;
  readonly height: number;
  readonly txId: string;
  readonly key: string | null;
  /** As which it was written, `name@version`; `data` is of the version that was asked for. */
  readonly schema: string;
  /** What the proof shows, where one was asked for. */
  readonly proven: Proven | null;
}

/**
 * How a service keeps its data on the network: it submits data of its own types and gets all of it back, typed, old versions beside
 * new ones, and with proofs where it asks for them.
 */
export class ServiceToConsensusConnector {
  readonly #client: NacreClient;
  readonly #account: AccountKey | undefined;

  constructor(client: NacreClient, { account }: ConnectorOptions = {}) {
    this.#client = client;
    this.#account = account;
  }

  /**
   * Submits one item.
   *
   * @throws {NacreClientError} `PAYLOAD_INVALID` where the item is not what its schema says; nothing is submitted then
   * @throws {NacreRpcError} see `NacreClient.submitRecords` and `submitTransaction`
   */
  async submitData<Data>(service: string, data: Data, options: SubmitDataOptions<Data>): Promise<SubmissionAnswer> {
    return this.submitBatch(service, [data], options);
  }

  /** Submits several items in one transaction: all of them or none, and cheaper by far than one by one. */
  async submitBatch<Data>(
    service: string,
    items: readonly Data[],
    { schema, key, requestId, ...options }: SubmitDataOptions<Data>,
  ): Promise<SubmissionAnswer> {
    const keyed = key === undefined ? {} : { key };
    const operation = this.appendOperation(service, items, { schema, ...keyed });
    if (this.#account === undefined) {
      const asked = requestId === undefined ? {} : { requestId };
      return this.#client.submitRecords({ service, ...keyed, ...asked, schema: schemaText(schema), payloads: items }, options);
    }
    return this.#client.submitOperations(this.#account, [operation], options);
  }

  /**
   * What {@link submitBatch} would sign, to be submitted in another way: through an `Outbox`, or with other operations in one transaction.
   *
   * @throws {NacreClientError} `PAYLOAD_INVALID` where an item is not what its schema says
   */
  appendOperation<Data>(
    service: string,
    items: readonly Data[],
    { schema, key = '' }: Pick<SubmitDataOptions<Data>, 'schema' | 'key'>,
  ): Operation {
    for (const item of items) read(schema.parse, item, schemaText(schema), { service });
    const records = items.map((item) => ({ key, payload: canonicalPayload(item, service) }));
    const { name, version } = schema;
    return { kind: 'record.append', service, schema: name, schemaVersion: version, mediaType: JSON_MEDIA_TYPE, records };
  }

  /**
   * All data of a service under a schema, in order, fetched as it is read.
   *
   * With `verify`, each item is proven to be the record at its index, and reading upwards without a key no index can be left out. That
   * there is nothing behind the last one has no proof here.
   *
   * @throws {NacreClientError} `SCHEMA_VERSION_UNKNOWN` or `PAYLOAD_INVALID` (unless `onUnreadable` is given), `PROOF_INVALID`,
   *   `PROOF_MISMATCH`, `RECORDS_MISSING`, `GENESIS_MISSING`
   */
  async *retrieveServiceData<Data>(
    service: string,
    { schema, verify = false, onUnreadable, signal, ...query }: RetrieveOptions<Data>,
  ): AsyncGenerator<ServiceItem<Data>, void, undefined> {
    const options = signal === undefined ? {} : { signal };
    const gapless = query.key === undefined && query.order !== 'descending';
    let expected = query.fromIndex ?? 0;
    for await (const listed of this.#client.records({ service, ...query }, options)) {
      if (gapless && listed.index !== expected) throw missing(service, expected, listed.index);
      expected = listed.index + 1;
      const proven = verify ? await this.#prove(listed, query.key, service, options) : null;
      const item = readItem(schema, proven === null ? listed : provenRecord(proven), { service, proven, onUnreadable });
      if (item !== undefined) yield item;
    }
  }

  async #prove({ index }: RecordAnswer, key: string | undefined, service: string, options: CallOptions): Promise<Proven> {
    const proven = await this.#client.proveRecord({ service, index }, options);
    if (key === undefined || (proven.kind === 'included' && proven.record.key === key)) return proven;
    throw new NacreClientError('PROOF_MISMATCH', `the record at ${index} has another key`, { fields: { service, index, key } });
  }
}

interface ReadContext {
  readonly service: string;
  readonly proven: Proven | null;
  readonly onUnreadable: ((error: NacreClientError) => void) | undefined;
}

/** @returns undefined where it is left out */
function readItem<Data>(
  schema: DataSchema<Data>,
  record: Omit<RecordAnswer, 'chain' | 'service'>,
  { service, proven, onUnreadable }: ReadContext,
): ServiceItem<Data> | undefined {
  const { index, height, txId, key, payload, schema: written } = record;
  const reader = readerFor(schema, written);
  if (reader === 'other') return undefined;
  try {
    if (reader === undefined) throw unknownVersion(schema, { service, index, schema: written });
    return { data: read(reader, payload, written, { service, index }), index, height, txId, key, schema: written, proven };
  } catch (error) {
    if (onUnreadable === undefined || !(error instanceof NacreClientError)) throw error;
    onUnreadable(error);
    return undefined;
  }
}

function unknownVersion(
  schema: DataSchema<unknown>,
  fields: { readonly service: string; readonly index: number; readonly schema: string },
): NacreClientError {
  const message = `the record at ${fields.index} is ${fields.schema}, which ${schemaText(schema)} cannot read`;
  return new NacreClientError('SCHEMA_VERSION_UNKNOWN', message, {
    fields,
    hint: 'Add an upgrade for this version to the schema, or give onUnreadable to leave such records out.',
  });
}

function read<Data>(parse: (payload: unknown) => Data, payload: unknown, schema: string, fields: Readonly<Record<string, unknown>>): Data {
  try {
    return parse(payload);
  } catch (cause) {
    throw new NacreClientError('PAYLOAD_INVALID', `not the data of ${schema}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
      fields: { ...fields, schema },
    });
  }
}

/** A record as its proof shows it, in the form in which nodes list records. */
function provenRecord(proven: Proven): Omit<RecordAnswer, 'chain' | 'service'> {
  // `proveRecord` was asked for an index, which nothing else answers.
  const { record } = proven as Extract<Proven, { readonly record: ServiceRecord }>;
  const { index, height, key, schema, schemaVersion } = record;
  const written = { key: key === '' ? null : key, schema: `${schema}@${schemaVersion}` };
  return { index, height, txId: toHex(record.txId), ...written, payload: payloadOf(record) };
}

function payloadOf({ mediaType, payload }: ServiceRecord): unknown {
  const text = mediaType === JSON_MEDIA_TYPE ? fromUtf8(payload) : undefined;
  if (text !== undefined) {
    try {
      return JSON.parse(text);
    } catch {
      // A Byzantine proposer can get other bytes in under this media type; the schema then refuses them.
    }
  }
  return { mediaType, payload };
}

function missing(service: string, expected: number, index: number): NacreClientError {
  return new NacreClientError('RECORDS_MISSING', `the node left out the records from ${expected} to ${index - 1}`, {
    fields: { service, expected, index },
    hint: 'Ask another node; this one errs or lies.',
  });
}
