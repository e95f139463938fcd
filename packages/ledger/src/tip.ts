import { ContainerType, ListCompositeType } from '@chainsafe/ssz';
import type { Hash } from '@nacre/base';
import {
  CERTIFICATE_BYTES_MAX,
  type Certificate,
  CertificateType,
  type Codec,
  certificateFromWire,
  certificateToWire,
  convertedCodec,
  FORMAT_VERSION,
  HashType,
  Uint53Type,
  VersionType,
} from '@nacre/consensus';

/** What the store says of the latest applied block; written with it in one batch. */
export interface StoredTip {
  readonly height: number;
  readonly blockHash: Hash;
  readonly stateRoot: Hash;
  /** RFC 6962 root over the hashes of all headers up to this one. */
  readonly historyRoot: Hash;
  readonly certificate: Certificate | null;
}

const StoredTipType = new ContainerType({
  version: VersionType,
  height: Uint53Type,
  blockHash: HashType,
  stateRoot: HashType,
  historyRoot: HashType,
  certificate: new ListCompositeType(CertificateType, 1),
});

export const storedTipCodec: Codec<StoredTip> = convertedCodec(StoredTipType, {
  name: 'tip',
  bytesMax: CERTIFICATE_BYTES_MAX + 256,
  toWire: ({ certificate, ...rest }) => ({
    ...rest,
    version: FORMAT_VERSION,
    certificate: certificate === null ? [] : [certificateToWire(certificate)],
  }),
  fromWire: ({ height, blockHash, stateRoot, historyRoot, certificate: [certificate] }) => ({
    height,
    blockHash,
    stateRoot,
    historyRoot,
    certificate: certificate === undefined ? null : certificateFromWire(certificate),
  }),
});
