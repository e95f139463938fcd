import { bytesEqual, fail, type Hash, ok, type Refusal, type Result, ZERO_HASH } from '@nacre/base';
import { type Certificate, type Committee, checkCertificate } from '@nacre/consensus';
import type { Block } from './block.ts';
import type { EpochStart } from './epoch-book.ts';
import type { Genesis } from './genesis.ts';
import type { Header } from './header.ts';
import type { Tip } from './ledger-types.ts';

/** What a block must know of its place: the parent, and what is in force after it. */
export interface BlockPlace {
  readonly genesis: Genesis;
  readonly tip: Tip;
  /** RFC 6962 root over all headers up to the tip. */
  readonly historyRoot: Hash;
  readonly epoch: EpochStart;
  /** That of the tip. */
  readonly parentCommittee: Committee;
}

type PlaceFields = Pick<
  Header,
  'genesisHash' | 'chain' | 'epoch' | 'height' | 'parentHash' | 'committeeHash' | 'historyRoot' | 'chain0Reference'
>;

/** The header fields that follow from the place alone. */
export function placeFields({ genesis, tip, historyRoot, epoch: { info } }: BlockPlace): PlaceFields {
  return {
    genesisHash: genesis.hash,
    chain: genesis.context.chain,
    epoch: info.epoch,
    height: tip.height + 1,
    parentHash: tip.blockHash,
    committeeHash: info.committee.hash,
    historyRoot,
    chain0Reference: { height: 0, hash: ZERO_HASH },
  };
}

/**
 * The rules of a header that need no execution. Whoever proposes a block that breaks one has proposed an invalid block.
 *
 * @returns codes `WRONG_NETWORK`, `WRONG_CHAIN`, `BLOCK_EPOCH`, `BLOCK_HEIGHT`, `PARENT_HASH`, `BLOCK_TIME`, `PROPOSER_UNKNOWN`, `COMMITTEE_HASH`,
 * `HISTORY_ROOT`, `CHAIN0_REFERENCE`, `PARENT_CERTIFICATE`
 */
export function checkHeader(block: Block, place: BlockPlace): Result<void, Refusal> {
  const { header } = block;
  const { tip } = place;
  const { committee } = place.epoch.info;
  const expected = placeFields(place);
  if (!bytesEqual(header.genesisHash, expected.genesisHash)) return fail({ code: 'WRONG_NETWORK' });
  if (header.chain !== expected.chain) return fail({ code: 'WRONG_CHAIN', chain: header.chain });
  if (header.epoch !== expected.epoch) return fail({ code: 'BLOCK_EPOCH', epoch: header.epoch, expected: expected.epoch });
  if (header.height !== expected.height) return fail({ code: 'BLOCK_HEIGHT', height: header.height, expected: expected.height });
  if (!bytesEqual(header.parentHash, expected.parentHash)) return fail({ code: 'PARENT_HASH', height: header.height });
  if (header.timeMs <= tip.timeMs) return fail({ code: 'BLOCK_TIME', timeMs: header.timeMs, parentTimeMs: tip.timeMs });
  if (committee.indexOf(header.proposer) === null) return fail({ code: 'PROPOSER_UNKNOWN', height: header.height });
  if (!bytesEqual(header.committeeHash, expected.committeeHash)) return fail({ code: 'COMMITTEE_HASH', height: header.height });
  if (!bytesEqual(header.historyRoot, expected.historyRoot)) return fail({ code: 'HISTORY_ROOT', height: header.height });
  const { height: referenced, hash } = header.chain0Reference;
  if (referenced !== 0 || !bytesEqual(hash, ZERO_HASH)) return fail({ code: 'CHAIN0_REFERENCE', height: header.height });
  return checkParentCertificate(block.parentCertificate, place);
}

/** The header's digest binds everything of the certificate but its signatures, so what is wrong here is wrong with the block. */
export function checkParentCertificate(
  certificate: Certificate | null,
  { tip, parentCommittee }: Pick<BlockPlace, 'tip' | 'parentCommittee'>,
): Result<void, Refusal> {
  const refuse = (problem: string) => fail({ code: 'PARENT_CERTIFICATE', height: tip.height + 1, problem });
  if (tip.height === 0) return certificate === null ? ok(undefined) : refuse('the first block has no parent');
  if (certificate === null) return refuse('missing');
  if (certificate.height !== tip.height || !bytesEqual(certificate.blockHash, tip.blockHash)) return refuse('for another block');
  return checkCertificate(parentCommittee, certificate).ok ? ok(undefined) : refuse('no quorum');
}
