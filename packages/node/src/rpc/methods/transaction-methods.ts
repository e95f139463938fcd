import { toHex } from '@nacre/base';
import { z } from 'zod';
import type { NodeBackend } from '../../backend.ts';
import { defineMethod, type Method } from '../method.ts';
import { TransactionJson, transactionJson } from '../present.ts';
import { base64Param, chainNumber, count, hashParam, hashText, timeMs } from '../schemas.ts';
import { SUBMISSION_ERRORS, SubmissionJson, submitAndWait, waitParams } from './submission.ts';

const place = { txId: hashText, chain: chainNumber };
const held = { ...place, transaction: TransactionJson.nullable() };

const StatusJson = z.discriminatedUnion('status', [
  z.strictObject({ status: z.literal('admitted'), ...held }),
  z.strictObject({ status: z.literal('committed'), ...held, height: count, index: count }),
  z.strictObject({
    status: z.literal('failed'),
    ...held,
    height: count,
    index: count,
    reason: z.strictObject({ code: z.string(), operation: count.describe('Index of the operation that failed') }),
  }),
  z.strictObject({ status: z.literal('expired'), ...place, height: count.describe('Of the block that was past its time'), timeMs }),
  z.strictObject({ status: z.literal('unknown'), ...place }),
]);

export function transactionMethods(backend: NodeBackend): Method[] {
  const { chain } = backend.genesis.context;
  return [
    defineMethod({
      name: 'tx_submit',
      summary:
        'Submits a signed transaction. Answers when it is durable on this node, or with wait "committed" when the network has decided it.',
      params: z.strictObject({ tx: base64Param.describe('A signed transaction, base64'), ...waitParams }),
      result: SubmissionJson,
      errors: [
        ...SUBMISSION_ERRORS,
        'MALFORMED',
        'WRONG_NETWORK',
        'TRANSACTION_TOO_LARGE',
        'SIGNATURE_INVALID',
        'UNKNOWN_ACCOUNT',
        'EXPIRED',
        'TOO_FAR_AHEAD',
        'DUPLICATE',
        'QUOTA_EXCEEDED',
        'UNKNOWN_SERVICE',
        'NOT_A_WRITER',
        'SCHEMA_NOT_LISTED',
      ],
      waits: true,
      handle: ({ tx, ...wait }, { signal }) => submitAndWait(() => backend.submit(tx), { ...wait, signal }, backend),
    }),
    defineMethod({
      name: 'tx_get',
      summary: 'Where a transaction stands, and the transaction while this node holds it.',
      params: z.strictObject({ txId: hashParam }),
      result: StatusJson,
      errors: [],
      handle: ({ txId }): z.input<typeof StatusJson> => {
        const status = backend.transactionStatus(txId);
        const common = { txId: toHex(txId), chain };
        if (status.status === 'unknown' || status.status === 'expired') return { ...common, ...status };
        const transaction = backend.transaction(txId);
        return { ...common, ...status, transaction: transaction === null ? null : transactionJson(transaction) };
      },
    }),
  ];
}
