import { type Block, type Candidate, decodeBlock, transactionsRoot } from '@nacre/ledger';
import { alteredBlock } from './altered-block.ts';
import type { Behaviour } from './behaviour.ts';

/** Puts transactions into its blocks that the chain holds already, with the state that they would lead to if its own ledger lets it compute one. */
export const replayedTransactions: Behaviour = (world) => {
  const { validator, proposal: sign, random } = world;
  let replayed: { readonly height: number; readonly round: number; readonly block: Block } | null = null;

  const replay = (block: Block): Block => {
    const ledger = world.ledger();
    const { tip } = ledger ?? {};
    const old = tip === undefined || tip.height === 0 ? undefined : ledger?.blockAt(1 + random.int(tip.height));
    const decided = old === undefined ? undefined : ledger?.loadBlock(old.hash);
    if (ledger === null || decided === undefined || decided.transactions.length === 0 || tip?.height !== block.header.height - 1)
      return block;
    const { header, parentCertificate, bodyHashes } = block;
    const executed: Candidate = ledger.propose({
      proposer: header.proposer,
      timeMs: header.timeMs,
      candidates: decided.transactions,
      parentCertificate,
      lateCommits: [],
    });
    world.acted();
    if (executed.transactions.length > 0) return executed.block;
    const bodies = [...bodyHashes, ...decided.transactions.map(({ bodyHash }) => bodyHash)];
    return alteredBlock(block, { transactionsRoot: transactionsRoot(bodies) }, bodies);
  };

  return {
    send: (message) => {
      if (message.kind !== 'proposal' || message.proposal.proposer !== validator || message.proposal.validRound >= 0) return undefined;
      const { height, round } = message.proposal;
      if (replayed?.height !== height || replayed.round !== round) {
        const decoded = decodeBlock(message.block);
        if (!decoded.ok) return undefined;
        replayed = { height, round, block: replay(decoded.value) };
      }
      const { block } = replayed;
      return [{ content: { ...message, block: block.bytes, proposal: sign({ ...message.proposal, blockHash: block.hash }) } }];
    },
  };
};
