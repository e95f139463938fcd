import type { Certificate, Proposal, Vote } from '@nacre/consensus';
import { decodeMessage, type Message, messageKind } from '@nacre/replica';
import type { OutgoingFrame } from './sim-network.ts';
import type { Statement } from './statement-checker.ts';

/** Messages that hold votes or proposals; the others need not be decoded. */
const STATING: ReadonlySet<Message['kind'] | null> = new Set(['proposal', 'votes', 'instance-answer', 'decided']);

/** The votes and proposals in a frame that leaves a replica: its own, and those that it passes on. */
export function statementsIn({ kind, bytes }: Pick<OutgoingFrame, 'kind' | 'bytes'>): Statement[] {
  if (kind !== 'message' || !STATING.has(messageKind(bytes))) return [];
  const decoded = decodeMessage(bytes);
  if (!decoded.ok) return [];
  const message = decoded.value;
  switch (message.kind) {
    case 'proposal':
      return [proposalStatement(message.proposal), ...message.justification.map(voteStatement)];
    case 'votes':
    case 'instance-answer':
      return message.votes.map(voteStatement);
    case 'decided':
      return commitStatements(message.certificate);
    case 'round-state':
    case 'transactions':
    case 'instance':
    case 'reach':
      return [];
  }
}

function proposalStatement({ proposer, height, round, validRound, blockHash }: Proposal): Statement {
  return { validator: proposer, kind: 'proposal', height, round, validRound, blockHash };
}

function voteStatement({ validator, kind, height, round, blockHash }: Vote): Statement {
  return { validator, kind, height, round, validRound: -1, blockHash };
}

function commitStatements({ height, round, blockHash, commits }: Certificate): Statement[] {
  return commits.map(({ validator }) => ({ validator, kind: 'commit', height, round, blockHash, validRound: -1 }));
}
