import type { Address, Signer } from '@nacre/base';
import { keyIdOf } from './account-keys.ts';
import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import type { Operation } from './operation.ts';
import type { ChainParameters } from './parameters.ts';
import { decodeTransaction, encodeContents, encodeTransaction, TRANSACTION_CONTEXT, type Transaction } from './transaction.ts';

export interface TransactionRequest {
  readonly genesis: Genesis;
  /** Those in force; whoever knows the genesis alone leaves them, and keeps within those that the network began with. */
  readonly parameters?: ChainParameters;
  /** Whose current key `signer` holds. */
  readonly account: Address;
  readonly operations: readonly Operation[];
  /** Ms since 1970; at most the network's `validityWindowMs` ahead, or nodes refuse the transaction. */
  readonly validUntilMs: number;
  /** 16 unpredictable bytes; the same ones make the same id. */
  readonly nonce: Uint8Array;
  readonly signer: Signer;
}

/**
 * Encodes and signs a transaction, and reads it back as every node will.
 *
 * @throws {LedgerError} code `INPUT_INVALID` if it breaks a rule of `decodeTransaction`
 */
export async function buildTransaction(request: TransactionRequest): Promise<Transaction> {
  const { genesis, parameters = request.genesis.parameters, account, operations, validUntilMs, nonce, signer } = request;
  const contents = { chain: genesis.context.chain, account, keyId: keyIdOf(signer.publicKey), nonce, validUntilMs, operations };
  const { txId, bytes } = encodeContents(genesis, contents);
  const signature = await signer.sign(txId, TRANSACTION_CONTEXT, bytes);
  const decoded = decodeTransaction(encodeTransaction(genesis, contents, signature), genesis, parameters);
  if (decoded.ok) return decoded.value;
  throw new LedgerError('INPUT_INVALID', `no node takes this transaction: ${decoded.error.code}`, { fields: { refusal: decoded.error } });
}
