import { buildTransaction, type Genesis, LedgerError, type Operation, type Transaction } from '@nacre/ledger';
import type { AccountKey } from './account-key.ts';
import { NacreClientError } from './client-error.ts';

export interface SignRequest {
  readonly genesis: Genesis;
  readonly account: AccountKey;
  readonly operations: readonly Operation[];
  readonly validUntilMs: number;
  readonly nonce: Uint8Array;
}

/** Signs operations in one transaction. @throws {NacreClientError} `TRANSACTION_INVALID` where no node would take it */
export async function signOperations({ account: { address, signer }, ...request }: SignRequest): Promise<Transaction> {
  try {
    return await buildTransaction({ ...request, account: address, signer });
  } catch (cause) {
    if (!(cause instanceof LedgerError) || cause.code !== 'INPUT_INVALID') throw cause;
    const { refusal } = cause.fields;
    throw new NacreClientError('TRANSACTION_INVALID', cause.message, {
      cause,
      fields: { refusal },
      hint: 'fields.refusal says which limit or rule the operations break; nothing was sent.',
    });
  }
}
