import { ByteListType, ContainerType, ListCompositeType } from '@chainsafe/ssz';
import { type Address, COMMITTEE_SIZE_MAX, type Hash, SIGNATURE_BYTES_MAX } from '@nacre/base';
import { type Codec, convertedCodec, HashType, SignatureType, Uint53Type } from '@nacre/consensus';

/** Domain of the signature of an address record. */
export const ADDRESS_RECORD_CONTEXT = 'nacre/1/address-record';
/** Addresses of one validator. Beyond: the first ones count. */
export const ADDRESSES_PER_VALIDATOR_MAX = 8;
/** One multiaddr in binary form, in bytes: a DNS name of 253 and its port. Longer ones are left out. */
export const MULTIADDR_BYTES_MAX = 264;
/** A peer id in text: 52 characters for an Ed25519 key. */
const PEER_ID_BYTES_MAX = 64;
/** Largest list of records in bytes, one for each of a full committee. */
export const ADDRESS_LIST_BYTES_MAX =
  COMMITTEE_SIZE_MAX * (SIGNATURE_BYTES_MAX + ADDRESSES_PER_VALIDATOR_MAX * (MULTIADDR_BYTES_MAX + 4) + 256);

/** Where a validator says it can be reached. Anyone may pass it on, nobody else can make one. */
export interface AddressRecord {
  readonly address: Address;
  /** As text in UTF-8. */
  readonly peerId: Uint8Array;
  /** Binary multiaddrs without a peer id. */
  readonly multiaddrs: readonly Uint8Array[];
  /** When it was made, in ms by the validator's own clock: the latest counts. */
  readonly madeAtMs: number;
  readonly signature: Uint8Array;
}

const fields = {
  address: HashType,
  peerId: new ByteListType(PEER_ID_BYTES_MAX),
  multiaddrs: new ListCompositeType(new ByteListType(MULTIADDR_BYTES_MAX), ADDRESSES_PER_VALIDATOR_MAX),
  madeAtMs: Uint53Type,
};

const signedType = new ContainerType({ genesisHash: HashType, ...fields });

/** What the validator's key signs. */
export function addressRecordMessage(genesisHash: Hash, record: Omit<AddressRecord, 'signature'>): Uint8Array {
  return signedType.serialize({ genesisHash, ...record, multiaddrs: [...record.multiaddrs] });
}

const recordType = new ContainerType({ ...fields, signature: SignatureType });

export const addressListCodec: Codec<AddressRecord[]> = convertedCodec(new ListCompositeType(recordType, COMMITTEE_SIZE_MAX), {
  name: 'address list',
  bytesMax: ADDRESS_LIST_BYTES_MAX,
  toWire: (records: AddressRecord[]) => records.map((record) => ({ ...record, multiaddrs: [...record.multiaddrs] })),
  fromWire: (records): AddressRecord[] => records,
});
