import { Block, type Header } from '@nacre/ledger';

/** The block with another header and, if given, other bodies; whatever the header must commit to has to be in `changes`. */
export function alteredBlock(block: Block, changes: Partial<Header>, bodyHashes: Block['bodyHashes'] = block.bodyHashes): Block {
  const { header, parentCertificate, lateCommits } = block;
  return Block.assemble({ header: { ...header, ...changes }, bodyHashes, parentCertificate, lateCommits });
}
