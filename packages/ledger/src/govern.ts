import {
  type Address,
  assert,
  bytesEqual,
  fail,
  type Hash,
  ok,
  PROPOSALS_MAX,
  type Refusal,
  type Result,
  toHex,
  uint64Bytes,
} from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import type { FailureCode } from './block-effects.ts';
import { type ChangePlace, decideChange } from './decide-change.ts';
import type { OperationScope } from './execute-operation.ts';
import { type ListedProposal, sweepProposals } from './proposal-list.ts';
import { type SetChange, subjectOf } from './set-change.ts';
import { PARAMETERS, PROPOSAL, PROPOSALS, type Proposal, REGISTRY } from './set-kinds.ts';
import { ACCOUNT } from './state-kinds.ts';

type Governing = Result<void, Refusal<FailureCode>>;

const PROPOSAL_TAG = 'nacre/1/proposal';
/** Epochs from the approval of a change to the first that follows it: the next one's committee stands already. */
export const APPROVAL_EPOCHS = 2;

/** The id of the proposal that an operation of a transaction opens. */
export function proposalId(txId: Hash, operation: number): Hash {
  return taggedHash(PROPOSAL_TAG, txId, uint64Bytes(operation));
}

/**
 * Opens a proposal, which its proposer thereby approves. An open one never keeps others from proposing on the same subject, or a single validator
 * could keep anything from being decided; two that say the same would only split the approvals.
 */
export function openProposal(change: SetChange, scope: OperationScope): Governing {
  const { overlay, committee, parameters, timeMs, transaction } = scope;
  const proposer = transaction.contents.account;
  if (committee.indexOf(proposer) === null) return fail({ code: 'NOT_A_VALIDATOR' });
  const listed = sweepProposals(overlay, { epoch: scope.info.epoch, timeMs });
  const checked = checkOpening(change, listed, { proposer, max: parameters.proposalsPerValidatorMax });
  if (!checked.ok) return checked;
  const decidable = decideChange(change, overlay, changePlace(scope));
  if (!decidable.ok) return decidable;
  const id = proposalId(transaction.txId, scope.operation);
  overlay.set(PROPOSALS, null, [...listed.map((one) => one.id), id]);
  const expiresMs = timeMs + parameters.proposalWindowMs;
  const proposal = { change, proposer, openedMs: timeMs, expiresMs, approvals: [proposer], approved: null };
  overlay.set(PROPOSAL, id, proposal);
  return isApproved(proposal, scope) ? decide({ id, proposal }, scope) : ok(undefined);
}

function checkOpening(
  change: SetChange,
  listed: readonly ListedProposal[],
  { proposer, max }: { readonly proposer: Address; readonly max: number },
): Governing {
  if (listed.length >= PROPOSALS_MAX) return fail({ code: 'PROPOSALS_TOO_MANY', max: PROPOSALS_MAX });
  let own = 0;
  for (const { id, proposal } of listed) {
    const isSubject = subjectOf(proposal.change) === subjectOf(change);
    if (proposal.approved !== null) {
      if (isSubject) return fail({ code: 'CHANGE_IN_FLIGHT', proposal: toHex(id), actsAtEpoch: proposal.approved.actsAtEpoch });
      continue;
    }
    if (isSubject && isSameChange(proposal.change, change)) return fail({ code: 'PROPOSAL_EXISTS', proposal: toHex(id) });
    if (!bytesEqual(proposal.proposer, proposer)) continue;
    if (isSubject) return fail({ code: 'PROPOSAL_OPEN', proposal: toHex(id), expiresMs: proposal.expiresMs });
    own++;
  }
  return own < max ? ok(undefined) : fail({ code: 'PROPOSALS_TOO_MANY', max });
}

function isSameChange(a: SetChange, b: SetChange): boolean {
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case 'validator.join':
      return b.kind === a.kind && a.weight === b.weight && bytesEqual(a.publicKey, b.publicKey);
    case 'validator.weight':
      return b.kind === a.kind && a.weight === b.weight;
    case 'parameters.change':
      return b.kind === a.kind && a.value === b.value;
    case 'validator.leave':
    case 'validator.rehabilitate':
      return true;
  }
}

/** Approves a proposal. The approval that completes more than 2/3 of the committee's weight, as it is now, decides the change. */
export function approveProposal(id: Hash, scope: OperationScope): Governing {
  const { overlay, committee, timeMs, transaction } = scope;
  const { account } = transaction.contents;
  if (committee.indexOf(account) === null) return fail({ code: 'NOT_A_VALIDATOR' });
  const proposal = overlay.get(PROPOSAL, id);
  if (proposal === undefined) return fail({ code: 'PROPOSAL_UNKNOWN', proposal: toHex(id) });
  if (proposal.approved !== null) return fail({ code: 'PROPOSAL_DECIDED', actsAtEpoch: proposal.approved.actsAtEpoch });
  if (timeMs > proposal.expiresMs) return fail({ code: 'PROPOSAL_EXPIRED', expiresMs: proposal.expiresMs, timeMs });
  const isNew = !proposal.approvals.some((address) => bytesEqual(address, account));
  const serving = proposal.approvals.filter((address) => committee.indexOf(address) !== null);
  const counted = { ...proposal, approvals: isNew ? [...serving, account] : serving };
  // A committee that has changed may have made earlier approvals enough: then any one of them is told again.
  if (isApproved(counted, scope)) return decide({ id, proposal: counted }, scope);
  if (!isNew) return fail({ code: 'ALREADY_APPROVED', proposal: toHex(id) });
  overlay.set(PROPOSAL, id, counted);
  return ok(undefined);
}

function isApproved({ approvals }: Proposal, { committee }: OperationScope): boolean {
  const places = approvals.map((address) => committee.indexOf(address)).filter((index) => index !== null);
  return committee.isQuorum(committee.weightOf(places));
}

function decide({ id, proposal }: ListedProposal, scope: OperationScope): Governing {
  const { overlay, height, info, timeMs } = scope;
  const { change } = proposal;
  const listed = sweepProposals(overlay, { epoch: info.epoch, timeMs });
  const before = listed.find((one) => one.proposal.approved !== null && subjectOf(one.proposal.change) === subjectOf(change));
  if (before !== undefined) {
    return fail({ code: 'CHANGE_IN_FLIGHT', proposal: toHex(before.id), actsAtEpoch: before.proposal.approved?.actsAtEpoch });
  }
  const decided = decideChange(change, overlay, changePlace(scope));
  if (!decided.ok) return decided;
  if ('stages' in decided.value) overlay.set(PARAMETERS, null, decided.value.stages);
  else overlay.set(REGISTRY, null, decided.value.registry);
  if (change.kind === 'validator.join' && overlay.get(ACCOUNT, change.address) === undefined) {
    // Until it serves, and should it leave, it uses the quota of whoever brought it.
    overlay.set(ACCOUNT, change.address, { publicKey: change.publicKey, sponsor: proposal.proposer, retired: null });
  }
  overlay.set(PROPOSAL, id, { ...proposal, approved: { height, actsAtEpoch: info.epoch + APPROVAL_EPOCHS } });
  return ok(undefined);
}

function changePlace({ scheme, allowLargeWeights, height, info, scheduled }: OperationScope): ChangePlace {
  assert(height >= info.firstHeight, 'a block belongs to its epoch');
  return { scheme, allowLargeWeights, height, epoch: info.epoch, scheduled: scheduled() };
}
