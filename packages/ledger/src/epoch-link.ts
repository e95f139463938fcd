import { ByteListType, ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz';
import { type Address, bytesEqual, COMMITTEE_SIZE_MAX, fail, ok, PUBLIC_KEY_BYTES_MAX, type Refusal, type Result } from '@nacre/base';
import { Committee, HashType, Uint53Type, type Validator } from '@nacre/consensus';
import {
  type CertifiedHeader,
  certifiedHeaderFields,
  certifiedHeaderFromWire,
  certifiedHeaderToWire,
  type HeaderVerification,
  verifyCertifiedHeader,
} from './certified-header.ts';
import type { Checkpoint } from './checkpoint.ts';
import { changesCommittee } from './header.ts';

/** A validator of the committee that a link leads to. */
export interface LinkedValidator {
  readonly address: Address;
  readonly weight: number;
  /** Empty where the committee before has the same address with the same key: keys are the most of a committee, and few change at once. */
  readonly publicKey: Uint8Array;
}

/**
 * One change of the committee: the last header of the old one, decided by the old one, and the new one in full. Whoever trusts the old
 * committee has with it a reason to trust the new one. An epoch that ends with the committee that it began with needs no link.
 */
export interface EpochLink extends CertifiedHeader {
  /** In the order of their addresses. */
  readonly validators: readonly LinkedValidator[];
}

const LinkedValidatorType = new ContainerType({
  address: HashType,
  weight: Uint53Type,
  publicKey: new ByteListType(PUBLIC_KEY_BYTES_MAX),
});

export const EpochLinkType = new ContainerType({
  ...certifiedHeaderFields,
  validators: new ListCompositeType(LinkedValidatorType, COMMITTEE_SIZE_MAX),
});

type WireLink = ValueOf<typeof EpochLinkType>;

export function linkToWire(link: EpochLink): WireLink {
  return { ...certifiedHeaderToWire(link), validators: [...link.validators] };
}

export function linkFromWire(wire: WireLink): EpochLink {
  return { ...certifiedHeaderFromWire(wire), validators: wire.validators };
}

/** @param last header of the committee `before`, and as few of its commits as decide it */
export function makeLink({ header, certificate }: CertifiedHeader, before: Committee, after: Committee): EpochLink {
  return { header, certificate, validators: linkedValidators(before, after) };
}

/**
 * Takes one link from a checkpoint.
 *
 * @returns where it leads, or codes `PROOF_LINK` and those of `verifyCertifiedHeader`
 */
export async function followLink(
  link: EpochLink,
  checkpoint: Checkpoint,
  verification: HeaderVerification,
): Promise<Result<Checkpoint, Refusal>> {
  const { header } = link;
  const { height, timeMs } = header;
  const refuse = (problem: string) => fail({ code: 'PROOF_LINK', height, problem });
  const hash = await verifyCertifiedHeader(link, checkpoint, verification);
  if (!hash.ok) return hash;
  if (!changesCommittee(header)) return refuse('the committee does not change');
  const committee = linkedCommittee(link, checkpoint.committee);
  if (committee === null) return refuse('not the committee that the header names');
  return ok({ genesisHash: checkpoint.genesisHash, height, blockHash: hash.value, timeMs, epoch: header.epoch + 1, committee });
}

/** The committee that the header of the link names and its list describes in the one way that there is; null if there is none. */
function linkedCommittee({ header, validators }: EpochLink, before: Committee): Committee | null {
  const full: Validator[] = [];
  for (const { address, weight, publicKey } of validators) {
    const known = publicKey.length === 0 ? keyIn(before, address) : publicKey;
    if (known === undefined) return null;
    full.push({ address, weight, publicKey: known });
  }
  // Whether weights are fit is for those to decide who certified the hash.
  const created = Committee.create(full, { allowLargeWeights: true });
  if (!created.ok || !bytesEqual(created.value.hash, header.nextCommitteeHash)) return null;
  const canonical = linkedValidators(before, created.value);
  const isCanonical = canonical.every(({ address, publicKey }, index) => {
    const given = validators[index] as LinkedValidator;
    return bytesEqual(address, given.address) && bytesEqual(publicKey, given.publicKey);
  });
  return isCanonical ? created.value : null;
}

function linkedValidators(before: Committee, after: Committee): LinkedValidator[] {
  return after.validators.map(({ address, weight, publicKey }) => {
    const known = keyIn(before, address);
    const isKnown = known !== undefined && bytesEqual(known, publicKey);
    return { address, weight, publicKey: isKnown ? new Uint8Array(0) : publicKey };
  });
}

function keyIn(committee: Committee, address: Address): Uint8Array | undefined {
  const index = committee.indexOf(address);
  return index === null ? undefined : committee.validator(index).publicKey;
}
