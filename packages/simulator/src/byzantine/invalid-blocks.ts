import { HASH_BYTES } from '@nacre/base';
import { type Block, decodeBlock, type Header, transactionsRoot } from '@nacre/ledger';
import { alteredBlock } from './altered-block.ts';
import type { Behaviour, ByzantineWorld } from './behaviour.ts';

type Spoil = (block: Block, world: ByzantineWorld) => Block;
const set =
  (changes: (header: Header, world: ByzantineWorld) => Partial<Header>): Spoil =>
  (block, world) =>
    alteredBlock(block, changes(block.header, world));
const junk = ({ random }: ByzantineWorld): Uint8Array => random.bytes(HASH_BYTES);

/** Each breaks one rule of a block and no other, as far as the rules can be told apart. */
const SPOILS: readonly Spoil[] = [
  set((_, world) => ({ stateRoot: junk(world) })),
  set((_, world) => ({ parentHash: junk(world) })),
  set((_, world) => ({ historyRoot: junk(world) })),
  set((_, world) => ({ committeeHash: junk(world) })),
  set((_, world) => ({ nextCommitteeHash: junk(world) })),
  set((_, world) => ({ genesisHash: junk(world) })),
  set((header) => ({ chain: header.chain + 1 })),
  set((header) => ({ epoch: header.epoch + 1 })),
  set((header) => ({ height: header.height + 1 })),
  set((_, world) => ({ proposer: junk(world) })),
  set((_, world) => ({ chain0Reference: { height: 1, hash: junk(world) } })),
  // Before its parent; an hour ago; in an hour; just beyond what honest clocks may differ by.
  set((header) => ({ timeMs: header.timeMs - 60_000 })),
  set((header) => ({ timeMs: header.timeMs - 3_600_000 })),
  set((header) => ({ timeMs: header.timeMs + 3_600_000 })),
  set((header) => ({ timeMs: header.timeMs + 3_000 })),
  // One transaction twice.
  (block) => {
    const bodyHashes = [...block.bodyHashes, ...block.bodyHashes];
    return alteredBlock(block, { transactionsRoot: transactionsRoot(bodyHashes) }, bodyHashes);
  },
];

/** Proposes blocks that break a rule, a different one each time, and votes for them. */
export const invalidBlocks: Behaviour = (world) => {
  const { validator, proposal: sign, vote: signVote, random } = world;
  let spoiled: { readonly height: number; readonly round: number; readonly original: Block; readonly block: Block } | null = null;
  return {
    send: (message) => {
      if (message.kind === 'proposal' && message.proposal.proposer === validator && message.proposal.validRound < 0) {
        const { height, round } = message.proposal;
        const decoded = decodeBlock(message.block);
        if (!decoded.ok) return undefined;
        if (spoiled === null || spoiled.height !== height || spoiled.round !== round) {
          spoiled = { height, round, original: decoded.value, block: random.pick(SPOILS)(decoded.value, world) };
        }
        world.acted();
        const proposal = sign({ ...message.proposal, blockHash: spoiled.block.hash });
        return [{ content: { ...message, proposal, block: spoiled.block.bytes } }];
      }
      if (message.kind !== 'votes' || spoiled === null) return undefined;
      const { height, round, block } = spoiled;
      const votes = message.votes.map((vote) => {
        const own = vote.validator === validator && vote.height === height && vote.round === round && vote.blockHash !== null;
        return own ? signVote({ ...vote, blockHash: block.hash }) : vote;
      });
      return [{ content: { kind: 'votes', votes } }];
    },
  };
};
