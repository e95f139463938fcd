import { RECORDS_PAGE_MAX, REQUEST_ID_LENGTH_MAX, utf8 } from '@nacre/base';
import { LedgerError } from '@nacre/ledger';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import type { NodeBackend } from '../../backend.ts';
import { RpcError } from '../errors.ts';
import { defineMethod, type Method } from '../method.ts';
import { RecordJson, recordJson, toBase64 } from '../present.ts';
import { base64Text, count, nameParam, schemaParam } from '../schemas.ts';
import { SUBMISSION_ERRORS, SubmissionJson, submitAndWait, waitParams } from './submission.ts';

const LIMIT_DEFAULT = 100;
const SCHEMA_DEFAULT = 'json@1';

const submitParams = z
  .strictObject({
    service: nameParam,
    key: z.string().min(1).optional().describe('The latest record of each key can be asked for; of a batch, that of its last record'),
    schema: schemaParam.prefault(SCHEMA_DEFAULT),
    payload: z.unknown().optional().describe('Any JSON value'),
    payloads: z.array(z.unknown()).min(1).max(RECORDS_PAGE_MAX).optional().describe('Any JSON values, one record each, in one transaction'),
    requestId: z.string().min(1).max(REQUEST_ID_LENGTH_MAX).optional().describe('The same one again at this node submits nothing anew'),
    ...waitParams,
  })
  .refine((params) => 'payload' in params !== 'payloads' in params, 'either payload or payloads');

const proofParams = z
  .strictObject({
    service: nameParam,
    index: count.optional(),
    key: z.string().optional(),
    fromHeight: count.default(0).describe('Height of the checkpoint that whoever verifies the proof trusts; 0 is the genesis'),
  })
  .refine(({ index, key }) => (index === undefined) !== (key === undefined), 'either index or key');

function canonical(payload: unknown): Uint8Array {
  let text: string | undefined;
  try {
    text = canonicalize(payload);
  } catch (error) {
    throw new RpcError('PAYLOAD_INVALID', { reason: error instanceof Error ? error.message : String(error) });
  }
  if (text === undefined) throw new RpcError('PAYLOAD_INVALID');
  return utf8(text);
}

export function recordMethods(backend: NodeBackend): Method[] {
  const { ledger, genesis } = backend;
  const { chain } = genesis.context;
  return [
    defineMethod({
      name: 'record_submit',
      summary:
        "Signs records with this node's own key and submits them; makes account and service on first use. Only where the node allows it.",
      params: submitParams,
      result: SubmissionJson,
      errors: [
        ...SUBMISSION_ERRORS,
        'RECORDS_DISABLED',
        'REQUEST_ID_REUSED',
        'REQUEST_IDS_FULL',
        'SERVICE_PENDING',
        'SPONSOR_MISSING',
        'SIGNER_AWAY',
        'SIGNER_REFUSED',
        'PAYLOAD_INVALID',
        'NOT_A_WRITER',
        'SCHEMA_NOT_LISTED',
        'RECORD_TOO_LARGE',
        'RECORDS_TOO_MANY',
        'TRANSACTION_TOO_LARGE',
        'KEY_TOO_LONG',
        'QUOTA_EXCEEDED',
      ],
      waits: true,
      handle: async ({ service, key = '', schema, payload, payloads, requestId = null, ...wait }, { signal }) => {
        const submission = { service, key, schema, payloads: (payloads ?? [payload]).map(canonical), requestId };
        return submitAndWait(() => backend.submitRecords(submission, wait.timeoutMs), { ...wait, signal }, backend);
      },
    }),
    defineMethod({
      name: 'record_list',
      summary: 'Records of a service in order of their index, page by page.',
      params: z.strictObject({
        service: nameParam,
        key: z.string().min(1).optional(),
        fromIndex: count.optional().describe('Where to begin: at the first, or in descending order at the last'),
        limit: z.int().min(1).max(RECORDS_PAGE_MAX).default(LIMIT_DEFAULT),
        order: z.enum(['ascending', 'descending']).default('ascending'),
      }),
      result: z.strictObject({
        records: z.array(RecordJson).describe('At most limit; fewer if they are large'),
        nextIndex: count.nullable().describe('fromIndex of the next page; null at the end'),
      }),
      errors: ['RECORD_PRUNED'],
      handle: async ({ service, key, fromIndex, limit, order }) => {
        const window = { ...(key === undefined ? {} : { key }), ...(fromIndex === undefined ? {} : { fromIndex }) };
        const page = await ledger.records({ service, limit, order, ...window }).catch(throwPruned);
        return { records: page.records.map((record) => recordJson(record, chain)), nextIndex: page.nextIndex };
      },
    }),
    defineMethod({
      name: 'record_latest',
      summary: 'The latest record under a key, as of a decided height.',
      params: z.strictObject({ service: nameParam, key: z.string().min(1) }),
      result: z.strictObject({
        record: RecordJson.nullable(),
        height: count.describe('Nothing newer is decided up to this height'),
        ageMs: count.describe("Since that block's time"),
      }),
      errors: ['RECORD_PRUNED'],
      handle: async ({ service, key }) => {
        const { height, timeMs } = ledger.tip;
        const record = await ledger.latest(service, key).catch(throwPruned);
        const ageMs = Math.max(0, backend.nowMs() - timeMs);
        return { record: record === undefined ? null : recordJson(record, chain), height, ageMs };
      },
    }),
    defineMethod({
      name: 'record_proof',
      summary:
        'Proof that a record is in its service, is the latest under its key, or that none is; whoever has the genesis file can verify it.',
      params: proofParams,
      result: base64Text.describe('The canonical proof, base64'),
      errors: ['RECORD_UNKNOWN', 'RECORD_PRUNED', 'KEY_INVALID', 'NO_CERTIFICATE', 'PROOF_BUSY', 'CHECKPOINT_AHEAD', 'PROOF_TOO_LONG'],
      handle: async ({ service, index, key = '', fromHeight }) => {
        const proof = await ledger.prove(index === undefined ? { service, key } : { service, index }, { fromHeight });
        if (!proof.ok) throw RpcError.fromRefusal(proof.error);
        return toBase64(proof.value);
      },
    }),
  ];
}

/** The asker is told what is no longer here; whatever else fails is the node's own affair. */
function throwPruned(error: unknown): never {
  if (error instanceof LedgerError && error.code === 'RECORD_PRUNED') throw new RpcError('RECORD_PRUNED', error.fields);
  throw error;
}
