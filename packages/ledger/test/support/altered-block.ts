import { ZERO_HASH } from '@nacre/base';
import { certificateDigest } from '@nacre/consensus';
import { Block, type Candidate, type Header, transactionsRoot } from '@nacre/ledger';

type Parts = Pick<Block, 'header' | 'bodyHashes' | 'parentCertificate' | 'lateCommits'>;

/** A proposed block with other things in it, every part still fitting the header. */
export function altered({ block }: Pick<Candidate, 'block'>, header: Partial<Header>, parts: Partial<Omit<Parts, 'header'>> = {}): Block {
  const { bodyHashes = block.bodyHashes, parentCertificate = block.parentCertificate, lateCommits = block.lateCommits } = parts;
  const parentCertificateDigest = parentCertificate === null ? ZERO_HASH : certificateDigest(parentCertificate);
  const bound = { ...block.header, transactionsRoot: transactionsRoot(bodyHashes), parentCertificateDigest };
  return Block.assemble({ header: { ...bound, ...header }, bodyHashes, parentCertificate, lateCommits });
}
