import type { Address, Verifier } from '@nacre/base';
import type { ChainContext } from '@nacre/consensus';
import { signingKey } from './account-keys.ts';
import type { EpochInfo } from './epoch-info.ts';
import type { Account } from './state-kinds.ts';
import { TRANSACTION_CONTEXT, type Transaction } from './transaction.ts';

interface Verifying {
  readonly context: ChainContext;
  readonly verifier: Verifier;
  readonly account: (address: Address) => Account | undefined;
  readonly epochOf: (height: number) => EpochInfo | undefined;
}

/** Whether all signatures of a transaction are what they say: its own. */
export async function verifyTransaction(transaction: Transaction, verifying: Verifying): Promise<boolean> {
  const { txId, contents, signature } = transaction;
  const account = verifying.account(contents.account);
  const key = account && signingKey(account, contents);
  if (key === undefined) return false;
  return verifying.verifier.verify({ publicKey: key.publicKey, message: txId, context: TRANSACTION_CONTEXT, signature });
}
