import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz';
import { assert, bytesEqual, fail, type Hash, ok, type Refusal, type Result, ZERO_HASH } from '@nacre/base';
import {
  CERTIFICATE_BYTES_MAX,
  type Certificate,
  CertificateType,
  certificateDigest,
  certificateFromWire,
  certificateToWire,
  convertedCodec,
  FORMAT_VERSION,
  HashType,
  RoundType,
  SignatureType,
  VersionType,
} from '@nacre/consensus';
import { leafHash, logRoot } from '@nacre/crypto';
import { blockHash, HEADER_BYTES_MAX, type Header, HeaderType, headerFromWire, headerToWire } from './header.ts';
import { PARAMETER_RULES } from './parameters.ts';

/** A commit for an earlier height that came too late for the next block's parent certificate. The block that it is for is the decided one. */
export interface LateCommit {
  readonly height: number;
  readonly validator: number;
  readonly round: number;
  readonly signature: Uint8Array;
}

interface Parts {
  readonly header: Header;
  readonly bodyHashes: readonly Hash[];
  readonly parentCertificate: Certificate | null;
  readonly lateCommits: readonly LateCommit[];
}

const lateCommitsMax = PARAMETER_RULES.lateCommitsMax.max;
const bodyHashesMax = PARAMETER_RULES.blockTransactionsMax.max;

const LateCommitType = new ContainerType({ round: RoundType, signature: SignatureType });
const BlockType = new ContainerType({
  version: VersionType,
  header: HeaderType,
  bodyHashes: new ListCompositeType(HashType, bodyHashesMax),
  /** None at height 1. */
  parentCertificate: new ListCompositeType(CertificateType, 1),
  /** In the order of the header's late committers, who give each its height and validator. */
  lateCommits: new ListCompositeType(LateCommitType, lateCommitsMax),
});

/** Above the longest encoding of a compact block in bytes; below what one frame takes. */
export const BLOCK_BYTES_MAX = HEADER_BYTES_MAX + bodyHashesMax * 32 + CERTIFICATE_BYTES_MAX + lateCommitsMax * 4640 + 64;

const blockCodec = convertedCodec<ValueOf<typeof BlockType>, Parts>(BlockType, {
  name: 'block',
  bytesMax: BLOCK_BYTES_MAX,
  toWire: ({ header, bodyHashes, parentCertificate, lateCommits }) => ({
    version: FORMAT_VERSION,
    header: headerToWire(header),
    bodyHashes: [...bodyHashes],
    parentCertificate: parentCertificate === null ? [] : [certificateToWire(parentCertificate)],
    lateCommits: lateCommits.map(({ round, signature }) => ({ round, signature })),
  }),
  fromWire: (wire) => {
    const header = headerFromWire(wire.header);
    const certificate = wire.parentCertificate[0];
    return {
      header,
      bodyHashes: wire.bodyHashes,
      parentCertificate: certificate === undefined ? null : certificateFromWire(certificate),
      lateCommits: placeLateCommits(header, wire.lateCommits),
    };
  },
});

/**
 * A compact block: the header, and beside it what the header commits to: body hashes, the parent's certificate, late commits.
 *
 * Everything beside the header is either bound to it (which every instance has been checked for) or is a signature or its round, which
 * the hash does not cover: another copy of the same block may carry better ones. So a refusal here, or of the signatures, condemns this
 * copy; only what `Ledger.check` refuses condemns the hash.
 */
export class Block {
  readonly header: Header;
  readonly hash: Hash;
  readonly bodyHashes: readonly Hash[];
  /** Null at height 1 only. Its signatures are for `Ledger.verifyBlockSignatures`. */
  readonly parentCertificate: Certificate | null;
  /** In the order of the header's late committers. */
  readonly lateCommits: readonly LateCommit[];
  /** The canonical encoding. */
  readonly bytes: Uint8Array;

  private constructor(parts: Parts, bytes: Uint8Array) {
    this.header = parts.header;
    this.hash = blockHash(parts.header);
    this.bodyHashes = parts.bodyHashes;
    this.parentCertificate = parts.parentCertificate;
    this.lateCommits = parts.lateCommits;
    this.bytes = bytes;
  }

  /** For the proposer, whose parts fit by construction. */
  static assemble(parts: Parts): Block {
    const foreign = foreignPart(parts);
    assert(foreign === null, `the header does not commit to its ${foreign}`);
    return new Block(parts, blockCodec.encode(parts));
  }

  /** @returns codes `MALFORMED`, and `BLOCK_PART_FOREIGN` with the `part` that the header does not commit to */
  static decode(bytes: Uint8Array): Result<Block, Refusal> {
    const decoded = blockCodec.decode(bytes);
    if (!decoded.ok) return decoded;
    const part = foreignPart(decoded.value);
    if (part !== null) return fail({ code: 'BLOCK_PART_FOREIGN', part, height: decoded.value.header.height });
    return ok(new Block(decoded.value, bytes));
  }
}

/** See `Block.decode`. */
export function decodeBlock(bytes: Uint8Array): Result<Block, Refusal> {
  return Block.decode(bytes);
}

export function encodeBlock(block: Block): Uint8Array {
  return block.bytes;
}

/** RFC 6962 root over body hashes. */
export function transactionsRoot(bodyHashes: readonly Hash[]): Hash {
  return logRoot(bodyHashes.map((hash) => leafHash(hash)));
}

function foreignPart(parts: Parts): 'body hashes' | 'parent certificate' | 'late commits' | null {
  const { header, bodyHashes, parentCertificate, lateCommits } = parts;
  if (!bytesEqual(transactionsRoot(bodyHashes), header.transactionsRoot)) return 'body hashes';
  const digest = parentCertificate === null ? ZERO_HASH : certificateDigest(parentCertificate);
  if (!bytesEqual(digest, header.parentCertificateDigest)) return 'parent certificate';
  let credited = 0;
  for (const { validators } of header.lateCommits) credited += validators.length;
  return credited === lateCommits.length ? null : 'late commits';
}

/** @throws {RangeError} if the header credits more commits than there are, which a strict codec refuses */
function placeLateCommits(header: Header, wire: readonly ValueOf<typeof LateCommitType>[]): LateCommit[] {
  const places = header.lateCommits.flatMap(({ height, validators }) => validators.map((validator) => ({ height, validator })));
  if (places.length !== wire.length) throw new RangeError('late commits differ in number from the header');
  return wire.map(({ round, signature }, index) => ({ ...(places[index] as { height: number; validator: number }), round, signature }));
}
