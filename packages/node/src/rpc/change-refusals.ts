/** Why the network refuses what validators decide about, and what helps: by the code of the refusal. */
const WHY: Readonly<Record<string, string>> = {
  ALREADY_APPROVED: 'You have approved this already; others have to.',
  CHANGE_IN_FLIGHT: 'A decided change of the same validator or parameter waits for its epoch. Propose this one when that is in force.',
  CHANGE_NONE: 'It is so already.',
  EVIDENCE_KNOWN: 'This offence is proven already.',
  EVIDENCE_STALE: 'The offence is too long ago; the parameter evidenceEpochs says how long evidence counts.',
  KEY_IN_USE: 'Another validator has this key, or it is the present one. Make a new key.',
  KEY_MISMATCH: 'The account of this address has another key. Prove its current key.',
  KEY_RETIRED: 'The key has been replaced. Sign with the current one.',
  KEY_ROTATED_LATELY: 'The key before this one can still be used by transactions on their way; rotate again when untilMs is past.',
  NOT_A_VALIDATOR: 'Only validators of the present committee decide.',
  PARAMETERS_INCONSISTENT: 'The parameters would contradict one another.',
  PROPOSALS_TOO_MANY: 'Too many proposals are open. Wait until some are decided or have expired.',
  PROPOSAL_DECIDED: 'It is approved already and waits for its epoch.',
  PROPOSAL_EXISTS: 'Somebody has proposed just this: approve that proposal.',
  PROPOSAL_EXPIRED: 'It was not approved in time. Propose it anew.',
  PROPOSAL_OPEN: 'You have proposed something else about the same subject, and that is still open.',
  PROPOSAL_UNKNOWN: 'There is no such proposal.',
  PROTOCOL_VERSION_LOWER: 'Rules only go on to newer ones.',
  SET_DISCONTINUOUS:
    'More than two thirds of the new weight must be held by those who serve in the epoch before, with the lesser of their two weights. Change less at once.',
  SET_EMPTY: 'Nobody would be left.',
  SET_THIRD: 'One validator would hold a third of the weight or more, and alone could stop the network.',
  SET_TOO_LARGE: 'There would be too many validators.',
  SET_WEIGHT_OVERFLOW: 'The total weight would be too large.',
  VALIDATOR_EXISTS: 'It is a validator already.',
  VALIDATOR_NOT_HELD: 'It is held for no offence.',
  VALIDATOR_UNKNOWN: 'No validator has this address.',
};

/** @returns a sentence for people, or undefined for a code of something else */
export function whyRefused(code: string): string | undefined {
  return Object.hasOwn(WHY, code) ? WHY[code] : undefined;
}
