import { HASH_BYTES } from '@nacre/base';
import { decodeBlock, transactionsRoot } from '@nacre/ledger';
import { alteredBlock } from './altered-block.ts';
import type { Behaviour } from './behaviour.ts';

/** Lists transactions in its blocks that it shows to nobody, passes none on, and gives no block or body to whoever asks. */
export const withheldBodies: Behaviour = ({ validator, proposal: sign, random, acted }) => ({
  send: (message) => {
    if (message.kind === 'transactions') return [];
    if (message.kind !== 'proposal' || message.proposal.proposer !== validator || message.proposal.validRound >= 0) return undefined;
    const decoded = decodeBlock(message.block);
    if (!decoded.ok) return undefined;
    acted();
    const bodyHashes = [...decoded.value.bodyHashes, random.bytes(HASH_BYTES)];
    const block = alteredBlock(decoded.value, { transactionsRoot: transactionsRoot(bodyHashes) }, bodyHashes);
    return [{ content: { ...message, block: block.bytes, proposal: sign({ ...message.proposal, blockHash: block.hash }) } }];
  },
  answer: ({ kind }) => {
    if (kind === 'block') return [{ content: { kind, answer: { block: null } } }];
    if (kind === 'bodies') return [{ content: { kind, answer: { bodies: [] } } }];
    return undefined;
  },
});
