import type { Address, Verifier } from '@nacre/base';
import { type ChainContext, verifyEquivocation } from '@nacre/consensus';
import { POSSESSION_CONTEXT, possessionMessage, signingKey } from './account-keys.ts';
import type { EpochInfo } from './epoch-info.ts';
import type { Operation } from './operation.ts';
import { offenceEpoch } from './report-evidence.ts';
import type { Account } from './state-kinds.ts';
import { TRANSACTION_CONTEXT, type Transaction } from './transaction.ts';

interface Verifying {
  readonly context: ChainContext;
  readonly verifier: Verifier;
  readonly account: (address: Address) => Account | undefined;
  readonly epochOf: (height: number) => EpochInfo | undefined;
}

/** Whether all signatures of a transaction are what they say: its own, those of keys that are to be registered, and those of evidence. */
export async function verifyTransaction(transaction: Transaction, verifying: Verifying): Promise<boolean> {
  const { txId, contents, signature } = transaction;
  const account = verifying.account(contents.account);
  const key = account && signingKey(account, contents);
  if (key === undefined) return false;
  const { verifier } = verifying;
  if (!(await verifier.verify({ publicKey: key.publicKey, message: txId, context: TRANSACTION_CONTEXT, signature }))) return false;
  // One after the other: whoever signs a thousand false ones gets one of them looked at.
  for (const operation of contents.operations) if (!(await verifyOperation(operation, contents.account, verifying))) return false;
  return true;
}

async function verifyOperation(operation: Operation, account: Address, verifying: Verifying): Promise<boolean> {
  if (operation.kind === 'validator.join') return verifyPossession({ ...operation, purpose: 'join' }, verifying);
  if (operation.kind === 'key.rotate') return verifyPossession({ ...operation, address: account, purpose: 'rotate' }, verifying);
  if (operation.kind !== 'evidence') return true;
  const { equivocation } = operation;
  // The keys of that height: who has rotated or left since has still signed what it signed.
  const committee = offenceEpoch(equivocation, verifying)?.committee;
  if (committee === undefined) return false;
  return (await verifyEquivocation({ committee, context: verifying.context, equivocation, verifier: verifying.verifier })).ok;
}

interface ClaimedKey {
  readonly address: Address;
  readonly publicKey: Uint8Array;
  readonly proofOfPossession: Uint8Array;
  readonly purpose: 'join' | 'rotate';
}

function verifyPossession(
  { address, publicKey, proofOfPossession, purpose }: ClaimedKey,
  { context, verifier }: Verifying,
): Promise<boolean> {
  const message = possessionMessage(context, address, purpose);
  return verifier.verify({ publicKey, message, context: POSSESSION_CONTEXT, signature: proofOfPossession });
}
