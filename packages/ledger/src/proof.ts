import { ContainerType, ListCompositeType, UnionType, type ValueOf } from '@chainsafe/ssz';
import { fromUtf8, type Hash, utf8 } from '@nacre/base';
import { CERTIFICATE_BYTES_MAX, type Codec, convertedCodec, FORMAT_VERSION, HashType, Uint53Type, VersionType } from '@nacre/consensus';
import { INCLUSION_PROOF_MAX, STATE_PROOF_OTHERS_MAX, STATE_PROOF_SIBLINGS_MAX, type StateProof } from '@nacre/crypto';
import { type CertifiedHeader, certifiedHeaderFields, certifiedHeaderFromWire, certifiedHeaderToWire } from './certified-header.ts';
import { type EpochLink, linkFromWire, linkToWire } from './epoch-link.ts';
import { HEADER_BYTES_MAX } from './header.ts';
import { EpochLinksType } from './light-update.ts';
import { LINKS_BYTES_MAX } from './link-limits.ts';
import { RECORD_BYTES_MAX, RecordType, recordFromWire, recordToWire, type ServiceRecord } from './record.ts';
import { KeyType, NameType } from './wire.ts';

/** The record stands in its service's log. */
interface IncludedClaim {
  readonly kind: 'included';
  readonly record: ServiceRecord;
  readonly recordCount: number;
  readonly logRoot: Hash;
  /** From the leaf up. RFC 6962, section 2.1.1. */
  readonly inclusion: readonly Hash[];
  /** Of the log's entry in the state. */
  readonly state: StateProof;
}

/** The record is the latest under its key. */
interface LatestClaim {
  readonly kind: 'latest';
  readonly record: ServiceRecord;
  readonly state: StateProof;
}

/** No record has the key. */
interface AbsentClaim {
  readonly kind: 'absent';
  readonly service: string;
  readonly key: string;
  /**
   * Where service and key would stand in the state. It says nothing new: one empty subtree proves the absence of many keys, and without
   * this a proof with a byte of its key changed would be the proof for that other key.
   */
  readonly stateKey: Hash;
  readonly state: StateProof;
}

export type ProofClaim = IncludedClaim | LatestClaim | AbsentClaim;

/** A claim about the state after a block, the block with as few commits as decide it, and how one gets to know the committee that did. */
export interface Proof extends CertifiedHeader {
  readonly claim: ProofClaim;
  /** Every change of the committee from what the asker trusts to the block, the oldest first. */
  readonly links: readonly EpochLink[];
}

const StateProofType = new ContainerType({
  siblings: new ListCompositeType(HashType, STATE_PROOF_SIBLINGS_MAX),
  others: new ListCompositeType(new ContainerType({ key: HashType, valueHash: HashType }), STATE_PROOF_OTHERS_MAX),
});
const IncludedType = new ContainerType({
  record: RecordType,
  recordCount: Uint53Type,
  logRoot: HashType,
  inclusion: new ListCompositeType(HashType, INCLUSION_PROOF_MAX),
  state: StateProofType,
});
const LatestType = new ContainerType({ record: RecordType, state: StateProofType });
const AbsentType = new ContainerType({
  service: NameType,
  key: KeyType,
  stateKey: HashType,
  state: StateProofType,
});
const ClaimType = new UnionType([IncludedType, LatestType, AbsentType]);
const ProofType = new ContainerType({ version: VersionType, claim: ClaimType, links: EpochLinksType, ...certifiedHeaderFields });

type WireClaim = ValueOf<typeof ClaimType>;

const SELECTOR = { included: 0, latest: 1, absent: 2 } as const;

/** Above the longest encoding of a proof in bytes. */
export const PROOF_BYTES_MAX =
  RECORD_BYTES_MAX +
  LINKS_BYTES_MAX +
  HEADER_BYTES_MAX +
  CERTIFICATE_BYTES_MAX +
  (INCLUSION_PROOF_MAX + STATE_PROOF_SIBLINGS_MAX + 2 * STATE_PROOF_OTHERS_MAX) * 32 +
  2048;

/** The one binary form of a proof. */
export const proofCodec: Codec<Proof> = convertedCodec(ProofType, {
  name: 'proof',
  bytesMax: PROOF_BYTES_MAX,
  toWire: (proof) => ({
    version: FORMAT_VERSION,
    claim: claimToWire(proof.claim),
    links: proof.links.map(linkToWire),
    ...certifiedHeaderToWire(proof),
  }),
  fromWire: (wire) => ({ claim: claimFromWire(wire.claim), links: wire.links.map(linkFromWire), ...certifiedHeaderFromWire(wire) }),
});

function claimToWire(claim: ProofClaim): WireClaim {
  const selector = SELECTOR[claim.kind];
  const state = { siblings: [...claim.state.siblings], others: [...claim.state.others] };
  switch (claim.kind) {
    case 'included': {
      const { recordCount, logRoot } = claim;
      const record = recordToWire(claim.record);
      const value: ValueOf<typeof IncludedType> = { record, recordCount, logRoot, inclusion: [...claim.inclusion], state };
      return { selector, value };
    }
    case 'latest':
      return { selector, value: { record: recordToWire(claim.record), state } };
    case 'absent': {
      const { service, key, stateKey } = claim;
      return { selector, value: { service: utf8(service), key: utf8(key), stateKey, state } };
    }
  }
}

/** @throws {RangeError} where a text is not UTF-8, which a strict codec refuses */
function claimFromWire({ selector, value }: WireClaim): ProofClaim {
  if (selector === SELECTOR.included) {
    const { record, ...rest } = value as ValueOf<typeof IncludedType>;
    return { kind: 'included', record: recordFromWire(record), ...rest };
  }
  if (selector === SELECTOR.latest) {
    const { record, state } = value as ValueOf<typeof LatestType>;
    return { kind: 'latest', record: recordFromWire(record), state };
  }
  const absent = value as ValueOf<typeof AbsentType>;
  const service = fromUtf8(absent.service);
  const key = fromUtf8(absent.key);
  if (service === undefined || key === undefined) throw new RangeError('not UTF-8');
  return { kind: 'absent', service, key, stateKey: absent.stateKey, state: absent.state };
}
