import { toHex } from '@nacre/base';
import { type Certificate, type Committee, equivocationCodec } from '@nacre/consensus';
import { formatAddress } from '@nacre/crypto';
import type { Header, Operation, ServiceDefinition, ServiceRecord, Transaction } from '@nacre/ledger';
import { z } from 'zod';
import { addressText, base64Text, chainNumber, count, hashText, schemaText, timeMs } from './schemas.ts';

/** How what the ledger holds is shown: a schema and a function for each. Bytes are base64, hashes hex, addresses bech32m. */

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

const JSON_MEDIA_TYPE = 'application/json';

export const RecordJson = z.strictObject({
  index: count.describe("Position in the service's log"),
  txId: hashText,
  chain: chainNumber,
  height: count,
  service: z.string(),
  key: z.string().nullable(),
  schema: schemaText,
  payload: z.unknown().describe('The JSON value; for other media types {mediaType, base64}'),
});

export function recordJson(record: ServiceRecord, chain: number): z.input<typeof RecordJson> {
  const { index, txId, height, service, key, schema, schemaVersion } = record;
  return {
    index,
    txId: toHex(txId),
    chain,
    height,
    service,
    key: key === '' ? null : key,
    schema: `${schema}@${schemaVersion}`,
    payload: payloadJson(record),
  };
}

function payloadJson({ mediaType, payload }: Pick<ServiceRecord, 'mediaType' | 'payload'>): unknown {
  if (mediaType === JSON_MEDIA_TYPE) {
    try {
      return JSON.parse(Buffer.from(payload).toString('utf8'));
    } catch {
      // No block's validity hangs on a JSON parser, so a Byzantine proposer can get this in: it is shown as the bytes that it is.
    }
  }
  return { mediaType, base64: toBase64(payload) };
}

export const HeaderJson = z.strictObject({
  genesisHash: hashText,
  chain: chainNumber,
  epoch: count,
  height: count,
  timeMs,
  proposer: addressText,
  parentHash: hashText,
  parentCertificateDigest: hashText,
  transactionsRoot: hashText,
  stateRoot: hashText,
  committeeHash: hashText,
  nextCommitteeHash: hashText,
  historyRoot: hashText,
  chain0Reference: z.strictObject({ height: count, hash: hashText }),
  lateCommits: z.array(z.strictObject({ height: count, validators: z.array(count) })),
});

export function headerJson(header: Header): z.input<typeof HeaderJson> {
  const { genesisHash, proposer, parentHash, parentCertificateDigest, transactionsRoot, stateRoot } = header;
  const { committeeHash, nextCommitteeHash, historyRoot, chain0Reference, lateCommits } = header;
  const { chain, epoch, height, timeMs: blockTimeMs } = header;
  return {
    genesisHash: toHex(genesisHash),
    chain,
    epoch,
    height,
    timeMs: blockTimeMs,
    proposer: formatAddress(proposer),
    parentHash: toHex(parentHash),
    parentCertificateDigest: toHex(parentCertificateDigest),
    transactionsRoot: toHex(transactionsRoot),
    stateRoot: toHex(stateRoot),
    committeeHash: toHex(committeeHash),
    nextCommitteeHash: toHex(nextCommitteeHash),
    historyRoot: toHex(historyRoot),
    chain0Reference: { height: chain0Reference.height, hash: toHex(chain0Reference.hash) },
    lateCommits: lateCommits.map(({ height: at, validators }) => ({ height: at, validators: [...validators] })),
  };
}

export const CertificateJson = z.strictObject({
  height: count,
  round: count,
  blockHash: hashText,
  commits: z.array(z.strictObject({ validator: addressText, signature: base64Text })),
});

export function certificateJson(certificate: Certificate, committee: Committee): z.input<typeof CertificateJson> {
  const { height, round, blockHash, commits } = certificate;
  return {
    height,
    round,
    blockHash: toHex(blockHash),
    commits: commits.map(({ validator, signature }) => ({
      validator: formatAddress(committee.validator(validator).address),
      signature: toBase64(signature),
    })),
  };
}

const serviceFields = {
  name: z.string(),
  owners: z.array(addressText),
  writers: z.array(addressText),
  schemas: z.array(schemaText),
  shard: count,
  retentionMs: count.describe('0 for ever'),
};

const OperationJson = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('account.create'), publicKey: base64Text }),
  z.strictObject({ kind: z.literal('service.create'), ...serviceFields }),
  z.strictObject({ kind: z.literal('service.update'), ...serviceFields }),
  z.strictObject({
    kind: z.literal('record.append'),
    service: z.string(),
    schema: schemaText,
    records: z.array(z.strictObject({ key: z.string().nullable(), payload: z.unknown() })),
  }),
  z.strictObject({ kind: z.literal('validator.recover'), nonce: z.string() }),
  z.strictObject({
    kind: z.literal('validator.join'),
    address: addressText,
    publicKey: base64Text,
    weight: count,
    proofOfPossession: base64Text,
  }),
  z.strictObject({ kind: z.literal('validator.leave'), address: addressText }),
  z.strictObject({ kind: z.literal('validator.weight'), address: addressText, weight: count }),
  z.strictObject({ kind: z.literal('validator.rehabilitate'), address: addressText }),
  z.strictObject({ kind: z.literal('parameters.change'), name: z.string(), value: count }),
  z.strictObject({ kind: z.literal('proposal.approve'), id: hashText }),
  z.strictObject({ kind: z.literal('key.rotate'), publicKey: base64Text, proofOfPossession: base64Text }),
  z.strictObject({ kind: z.literal('evidence'), evidence: base64Text.describe('Both signed messages, in the canonical encoding') }),
]);

export const TransactionJson = z.strictObject({
  account: addressText,
  nonce: z.string().describe('Hex'),
  validUntilMs: timeMs,
  operations: z.array(OperationJson),
  tx: base64Text.describe('The canonical encoding, signature included'),
});

export function transactionJson({ contents, bytes }: Transaction): z.input<typeof TransactionJson> {
  const { account, nonce, validUntilMs, operations } = contents;
  return {
    account: formatAddress(account),
    nonce: toHex(nonce),
    validUntilMs,
    operations: operations.map(operationJson),
    tx: toBase64(bytes),
  };
}

function operationJson(operation: Operation): z.input<typeof OperationJson> {
  switch (operation.kind) {
    case 'account.create':
      return { kind: operation.kind, publicKey: toBase64(operation.publicKey) };
    case 'service.create':
    case 'service.update':
      return { kind: operation.kind, ...serviceJson(operation) };
    case 'record.append': {
      const { kind, service, schema, schemaVersion, mediaType } = operation;
      const records = operation.records.map(({ key, payload }) => ({
        key: key === '' ? null : key,
        payload: payloadJson({ mediaType, payload }),
      }));
      return { kind, service, schema: `${schema}@${schemaVersion}`, records };
    }
    case 'validator.recover':
      return { kind: operation.kind, nonce: toHex(operation.nonce) };
    case 'validator.join': {
      const { kind, address, publicKey, weight, proofOfPossession } = operation;
      const key = { publicKey: toBase64(publicKey), proofOfPossession: toBase64(proofOfPossession) };
      return { kind, address: formatAddress(address), weight, ...key };
    }
    case 'validator.weight':
      return { ...operation, address: formatAddress(operation.address) };
    case 'validator.leave':
    case 'validator.rehabilitate':
      return { kind: operation.kind, address: formatAddress(operation.address) };
    case 'parameters.change':
      return operation;
    case 'proposal.approve':
      return { kind: operation.kind, id: toHex(operation.id) };
    case 'key.rotate': {
      const { kind, publicKey, proofOfPossession } = operation;
      return { kind, publicKey: toBase64(publicKey), proofOfPossession: toBase64(proofOfPossession) };
    }
    case 'evidence':
      return { kind: operation.kind, evidence: toBase64(equivocationCodec.encode(operation.equivocation)) };
  }
}

function serviceJson({ name, owners, writers, schemas, shard, retentionMs }: ServiceDefinition) {
  return {
    name,
    owners: owners.map(formatAddress),
    writers: writers.map(formatAddress),
    schemas: schemas.map((schema) => `${schema.name}@${schema.version}`),
    shard,
    retentionMs,
  };
}
