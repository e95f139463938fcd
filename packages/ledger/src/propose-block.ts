import { assert, type Hash, PROPOSE_EXAMINED_FACTOR, type Refusal, ZERO_HASH } from '@nacre/base';
import { certificateDigest } from '@nacre/consensus';
import { Block, transactionsRoot } from './block.ts';
import type { BlockExecution } from './block-execution.ts';
import { type BlockPlace, checkParentCertificate, placeFields } from './header-rules.ts';
import type { ProposedCandidate, ProposeRequest } from './ledger-types.ts';
import type { ChainParameters } from './parameters.ts';
import { creditCommits } from './participation.ts';
import { selectLateCommits } from './select-late-commits.ts';
import { PARTICIPATION } from './state-kinds.ts';
import type { Transaction } from './transaction.ts';

interface Proposing extends BlockPlace {
  readonly execution: BlockExecution;
  readonly decidedHash: (height: number) => Hash | undefined;
}

/** Makes the next block of what is pending, and executes it. */
export function proposeBlock(request: ProposeRequest, proposing: Proposing): ProposedCandidate {
  const { tip, execution, decidedHash } = proposing;
  const { info, parameters } = proposing.epoch;
  const { proposer, timeMs, parentCertificate } = request;
  assert(timeMs > tip.timeMs, 'a block is later than its parent');
  const parent = checkParentCertificate(parentCertificate, proposing);
  assert(parent.ok, 'the proposer has the certificate of its tip');
  const { transactions, hopeless } = pick(request.candidates, execution, parameters);
  const recent = execution.overlay.get(PARTICIPATION, null)?.recent ?? [];
  const { lateCommitsMax } = parameters;
  const { lateCommits, late } = selectLateCommits({ votes: request.lateCommits, recent, decidedHash, lateCommitsMax });
  const fields = placeFields(proposing);
  const { height } = fields;
  const credited = creditCommits(execution.overlay, { height, info, parentCertificate, lateCommits: late, parameters });
  assert(credited.ok, 'the selected late commits can be credited');
  const effects = execution.seal();
  const bodyHashes = transactions.map(({ bodyHash }) => bodyHash);
  const header = {
    ...fields,
    nextCommitteeHash: (effects.nextEpoch?.info ?? info).committee.hash,
    timeMs,
    proposer,
    parentCertificateDigest: parentCertificate === null ? ZERO_HASH : certificateDigest(parentCertificate),
    transactionsRoot: transactionsRoot(bodyHashes),
    stateRoot: effects.stateRoot,
    lateCommits: late,
  };
  const block = Block.assemble({ header, bodyHashes, parentCertificate, lateCommits });
  return { block, blockHash: block.hash, transactions, effects, hopeless };
}

/** What fits, in the order given. A transaction that does not fit or cannot be included yet makes room for the next. */
function pick(candidates: Iterable<Transaction>, execution: BlockExecution, parameters: ChainParameters) {
  const { blockTransactionsMax, blockBytesMax } = parameters;
  const transactions: Transaction[] = [];
  const hopeless: { txId: Hash; reason: Refusal }[] = [];
  let bytes = 0;
  let examined = 0;
  for (const transaction of candidates) {
    if (transactions.length === blockTransactionsMax || examined === PROPOSE_EXAMINED_FACTOR * blockTransactionsMax) break;
    examined++;
    if (bytes + transaction.bytes.length > blockBytesMax) continue;
    const included = execution.include(transaction);
    if (included.ok) {
      transactions.push(transaction);
      bytes += transaction.bytes.length;
    } else if (included.error.code === 'EXPIRED' || included.error.code === 'DUPLICATE') {
      hopeless.push({ txId: transaction.txId, reason: included.error });
    }
  }
  return { transactions, hopeless };
}
