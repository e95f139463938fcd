import type { Behaviour } from './behaviour.ts';
import { equivocatingProposer } from './equivocating-proposer.ts';
import { equivocatingVoter } from './equivocating-voter.ts';
import { flooder } from './flooder.ts';
import { forgedCertificates } from './forged-certificates.ts';
import { invalidBlocks } from './invalid-blocks.ts';
import { repairLiar } from './repair-liar.ts';
import { replayedTransactions } from './replayed-transactions.ts';
import { replays } from './replays.ts';
import { selectivelySilent } from './selectively-silent.ts';
import { silent } from './silent.ts';
import { slow } from './slow.ts';
import { snapshotLiar } from './snapshot-liar.ts';
import { stalling } from './stalling.ts';
import { syncLiar } from './sync-liar.ts';
import { twins } from './twins.ts';
import { unlocking } from './unlocking.ts';
import { voteOmitting } from './vote-omitting.ts';
import { withheldBodies } from './withheld-bodies.ts';

/** Every way of breaking the rules, by name. */
export const BEHAVIOURS = {
  'equivocating-proposer': equivocatingProposer,
  'equivocating-voter': equivocatingVoter,
  twins,
  silent,
  slow,
  stalling,
  'selectively-silent': selectivelySilent,
  'invalid-blocks': invalidBlocks,
  'withheld-bodies': withheldBodies,
  'forged-certificates': forgedCertificates,
  unlocking,
  replays,
  'replayed-transactions': replayedTransactions,
  'repair-liar': repairLiar,
  'sync-liar': syncLiar,
  'snapshot-liar': snapshotLiar,
  flooder,
  'vote-omitting': voteOmitting,
} as const satisfies Record<string, Behaviour>;

export type BehaviourName = keyof typeof BEHAVIOURS;
export const BEHAVIOUR_NAMES = Object.keys(BEHAVIOURS) as readonly BehaviourName[];
