/** The SSZ types that the formats of this package add to those of the consensus package. Text travels as bytes. */
import { ByteListType, ByteVectorType } from '@chainsafe/ssz';
import { BoundedUintType } from '@nacre/consensus';
import { MEDIA_TYPE_LENGTH_MAX, NAME_LENGTH_MAX } from './names.ts';
import { PARAMETER_RULES } from './parameters.ts';

/** Bytes that name a key among those of one account. */
export const KEY_ID_BYTES = 8;
/** Bytes of a transaction's nonce and of a recovery's. Protocol section 2. */
export const NONCE_BYTES = 16;

export const Uint32Type = new BoundedUintType(4, { min: 0, max: 2 ** 32 - 1 });
export const KeyIdType = new ByteVectorType(KEY_ID_BYTES);
export const NonceType = new ByteVectorType(NONCE_BYTES);
export const NameType = new ByteListType(NAME_LENGTH_MAX);
export const MediaTypeType = new ByteListType(MEDIA_TYPE_LENGTH_MAX);
export const KeyType = new ByteListType(PARAMETER_RULES.keyBytesMax.max);
export const PayloadType = new ByteListType(PARAMETER_RULES.recordBytesMax.max);
