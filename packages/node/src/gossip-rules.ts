import { bytesEqual, type Verifier } from '@nacre/base';
import { type Certificate, verifyCertificate } from '@nacre/consensus';
import { decodeBlock, type Ledger, type Transaction } from '@nacre/ledger';
import type { GossipRules } from '@nacre/network';
import { decodeMessage, messageKind } from '@nacre/replica';

type Verdict = Awaited<ReturnType<GossipRules['judge']>>;

/**
 * What may travel beyond neighbours: transactions and decided blocks, which say the same whoever delivers them. Both are verified before
 * they go on; the cache behind `verifier` spares the replica the second verification.
 */
export function gossipRules({ ledger, verifier }: { readonly ledger: () => Ledger; readonly verifier: Verifier }): GossipRules {
  return {
    relayable: (frame) => {
      const kind = messageKind(frame);
      return kind === 'transactions' || kind === 'decided';
    },
    judge: async (frame) => {
      const decoded = decodeMessage(frame);
      if (!decoded.ok) return 'reject';
      const message = decoded.value;
      if (message.kind === 'transactions') return judgeTransactions(message.bodies, ledger());
      if (message.kind === 'decided') return judgeDecided(message, ledger(), verifier);
      return 'reject';
    },
  };
}

async function judgeTransactions(bodies: readonly Uint8Array[], ledger: Ledger): Promise<Verdict> {
  const transactions: Transaction[] = [];
  for (const body of bodies) {
    const decoded = ledger.decode(body);
    // Around a change of the parameters, whoever is at another height goes by other limits.
    if (!decoded.ok) return ledger.read(body).ok ? 'ignore' : 'reject';
    transactions.push(decoded.value);
  }
  // Decided, expired, or signed by an account that this node has not heard of yet: no reason to blame anyone, nor to pass it on.
  if (transactions.some((transaction) => !ledger.includable(transaction, Date.now()).ok)) return 'ignore';
  const verdicts = await ledger.verifySignatures(transactions);
  return verdicts.includes(false) ? 'reject' : 'accept';
}

async function judgeDecided(
  { certificate, block }: { readonly certificate: Certificate; readonly block: Uint8Array },
  ledger: Ledger,
  verifier: Verifier,
): Promise<Verdict> {
  const { height, blockHash } = certificate;
  if (height <= ledger.tip.height) return 'ignore';
  const decoded = decodeBlock(block);
  if (!decoded.ok || !bytesEqual(decoded.value.hash, blockHash)) return 'reject';
  const { context } = ledger.genesis;
  // Above the next height nobody here knows yet who decides: what cannot be verified goes no further.
  const epoch = ledger.epochOf(height);
  if (epoch === undefined) return 'ignore';
  const verified = await verifyCertificate({ committee: epoch.committee, context, certificate, verifier });
  return verified.ok ? 'accept' : 'reject';
}
