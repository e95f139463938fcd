import { ContainerType, type ValueOf } from '@chainsafe/ssz';
import { bytesEqual, fail, type Hash, ok, type Refusal, type Result, type Verifier } from '@nacre/base';
import {
  type Certificate,
  CertificateType,
  type ChainContext,
  certificateFromWire,
  certificateToWire,
  isMinimal,
  verifyCertificate,
} from '@nacre/consensus';
import type { Checkpoint } from './checkpoint.ts';
import { blockHash, type Header, HeaderType, headerFromWire, headerToWire } from './header.ts';

/** A header with as few commits as decide it. */
export interface CertifiedHeader {
  readonly header: Header;
  readonly certificate: Certificate;
}

export const certifiedHeaderFields = { header: HeaderType, certificate: CertificateType };

export const CertifiedHeaderType = new ContainerType(certifiedHeaderFields);

type WireCertifiedHeader = ValueOf<typeof CertifiedHeaderType>;

export function certifiedHeaderToWire({ header, certificate }: CertifiedHeader): WireCertifiedHeader {
  return { header: headerToWire(header), certificate: certificateToWire(certificate) };
}

export function certifiedHeaderFromWire({ header, certificate }: WireCertifiedHeader): CertifiedHeader {
  return { header: headerFromWire(header), certificate: certificateFromWire(certificate) };
}

/** What a verifier of headers goes by, besides what it trusts. */
export interface HeaderVerification {
  /** Of the genesis: what commits name. */
  readonly context: ChainContext;
  readonly verifier: Verifier;
}

/**
 * Whether the committee of a checkpoint has decided a header, at the checkpoint or later.
 *
 * @returns the block's hash, or codes `PROOF_NETWORK`, `PROOF_COMMITTEE`, `PROOF_ORDER`, `PROOF_CERTIFICATE`, and those of `verifyCertificate`
 */
export async function verifyCertifiedHeader(
  { header, certificate }: CertifiedHeader,
  checkpoint: Checkpoint,
  { context, verifier }: HeaderVerification,
): Promise<Result<Hash, Refusal>> {
  const { height } = header;
  const { committee } = checkpoint;
  if (!bytesEqual(header.genesisHash, context.genesisHash) || header.chain !== context.chain)
    return fail({ code: 'PROOF_NETWORK', height });
  if (!bytesEqual(header.committeeHash, committee.hash)) return fail({ code: 'PROOF_COMMITTEE', height });
  const hash = blockHash(header);
  const isSame = height === checkpoint.height && bytesEqual(hash, checkpoint.blockHash);
  if (!isSame && !isLater(header, checkpoint)) return fail({ code: 'PROOF_ORDER', height, trustedHeight: checkpoint.height });
  const refuse = (problem: string) => fail({ code: 'PROOF_CERTIFICATE', height, problem });
  if (certificate.height !== height || !bytesEqual(certificate.blockHash, hash)) return refuse('for another block');
  const verified = await verifyCertificate({ committee, context, certificate, verifier });
  if (!verified.ok) return verified;
  // One more signer than decides would be a byte that can change and still verify: by leaving it out.
  return isMinimal(committee, certificate) ? ok(hash) : refuse('a signer that is not needed');
}

function isLater(header: Header, { height, timeMs, epoch }: Checkpoint): boolean {
  return header.height > height && header.timeMs > timeMs && header.epoch >= epoch;
}
