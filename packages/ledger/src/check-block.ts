import { assert, bytesEqual, fail, ok, type Refusal, type Result } from '@nacre/base';
import type { Block } from './block.ts';
import type { BlockExecution } from './block-execution.ts';
import { type BlockPlace, checkHeader } from './header-rules.ts';
import type { Candidate } from './ledger-types.ts';
import { creditCommits } from './participation.ts';
import type { Transaction } from './transaction.ts';

/**
 * Executes a block on the tip and compares what it says with what comes out. A refusal condemns the block's hash: the same header is refused
 * by every correct node, whatever copy of the block it came in.
 *
 * @param transactions those that the block lists, in its order, signatures verified
 * @returns codes of `checkHeader`, `BLOCK_TRANSACTIONS_TOO_MANY`, `BLOCK_TOO_LARGE`, `TRANSACTION_REFUSED` (with `index` and `reason`), those of
 * `creditCommits`, `NEXT_COMMITTEE_HASH`, and `STATE_ROOT`
 */
export function checkBlock(
  block: Block,
  transactions: readonly Transaction[],
  place: BlockPlace & { readonly execution: BlockExecution },
): Result<Candidate, Refusal> {
  const { header, bodyHashes } = block;
  const { execution } = place;
  const { info, parameters } = place.epoch;
  const inOrder =
    transactions.length === bodyHashes.length && transactions.every(({ bodyHash }, i) => bytesEqual(bodyHash, bodyHashes[i] as Uint8Array));
  assert(inOrder, 'a block is checked with the transactions that it lists');
  const checked = checkHeader(block, place);
  if (!checked.ok) return checked;
  const { blockTransactionsMax, blockBytesMax } = parameters;
  if (transactions.length > blockTransactionsMax) {
    return fail({ code: 'BLOCK_TRANSACTIONS_TOO_MANY', count: transactions.length, max: blockTransactionsMax });
  }
  const bytes = transactions.reduce((sum, transaction) => sum + transaction.bytes.length, 0);
  if (bytes > blockBytesMax) return fail({ code: 'BLOCK_TOO_LARGE', bytes, max: blockBytesMax });
  for (const [index, transaction] of transactions.entries()) {
    const included = execution.include(transaction);
    if (!included.ok) return fail({ code: 'TRANSACTION_REFUSED', index, reason: included.error });
  }
  const { height, lateCommits } = header;
  const { parentCertificate } = block;
  const credited = creditCommits(execution.overlay, { height, info, parentCertificate, lateCommits, parameters });
  if (!credited.ok) return credited;
  const effects = execution.seal();
  const next = effects.nextEpoch?.info ?? info;
  if (!bytesEqual(header.nextCommitteeHash, next.committee.hash)) return fail({ code: 'NEXT_COMMITTEE_HASH', height });
  if (!bytesEqual(effects.stateRoot, header.stateRoot)) return fail({ code: 'STATE_ROOT', height });
  return ok({ block, blockHash: block.hash, transactions, effects });
}
