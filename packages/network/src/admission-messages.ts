import { ByteListType, ByteVectorType, ContainerType, ListCompositeType } from '@chainsafe/ssz';
import { type Address, concatBytes, fail, HASH_BYTES, type Hash, type Refusal, type Result, SIGNATURE_BYTES_MAX } from '@nacre/base';
import { BoundedUintType, type Codec, convertedCodec, HashType, strictCodec } from '@nacre/consensus';
import { REFUSALS, type RefusalReason } from './network-counters.ts';

/** First byte of every admission message. */
const ADMISSION_VERSION = 1;
/** Domain of the signature that proves a validator's key. */
export const ADMISSION_CONTEXT = 'nacre/1/admission';
/** Largest admission message in bytes: a proof with the longest signature, and its frame. */
export const ADMISSION_BYTES_MAX = 5 * 1024;
export const NONCE_BYTES = 32;
/** Drawn once per process: tells a restarted peer from one that dials twice. */
export const INSTANCE_BYTES = 16;
/** A peer id in text: 52 characters for an Ed25519 key. */
const PEER_ID_BYTES_MAX = 64;

/** "This is the network I belong to, this is who I say I am." */
export interface Hello {
  readonly genesisHash: Hash;
  readonly protocolVersion: number;
  readonly nonce: Uint8Array;
  readonly instance: Uint8Array;
  /** Null: a follower, which proves nothing. */
  readonly claim: Address | null;
}

export type AdmissionMessage =
  | { readonly kind: 'hello'; readonly hello: Hello }
  /** The signature of the {@link Challenge}, empty from a follower. */
  | { readonly kind: 'proof'; readonly signature: Uint8Array }
  /** Null: welcome. Else why not, and nothing follows. */
  | { readonly kind: 'verdict'; readonly refusal: RefusalReason | null };

/** What a validator signs: who it is, to whom it speaks, over which connection. No part of it can serve anywhere else. */
export interface Challenge {
  readonly genesisHash: Hash;
  readonly protocolVersion: number;
  readonly address: Address;
  readonly signerPeerId: Uint8Array;
  readonly verifierPeerId: Uint8Array;
  readonly signerNonce: Uint8Array;
  readonly verifierNonce: Uint8Array;
  /** The TLS exporter; empty over noise. */
  readonly binding: Uint8Array;
}

const versionType = new BoundedUintType(4, { min: 0, max: 2 ** 32 - 1 });
const nonceType = new ByteVectorType(NONCE_BYTES);
const peerIdType = new ByteListType(PEER_ID_BYTES_MAX);

const challengeType = new ContainerType({
  genesisHash: HashType,
  protocolVersion: versionType,
  address: HashType,
  signerPeerId: peerIdType,
  verifierPeerId: peerIdType,
  signerNonce: nonceType,
  verifierNonce: nonceType,
  binding: new ByteListType(HASH_BYTES),
});

export function challengeBytes(challenge: Challenge): Uint8Array {
  return challengeType.serialize(challenge);
}

const limits = (name: string) => ({ name, bytesMax: ADMISSION_BYTES_MAX });

const helloCodec = convertedCodec(
  new ContainerType({
    genesisHash: HashType,
    protocolVersion: versionType,
    nonce: nonceType,
    instance: new ByteVectorType(INSTANCE_BYTES),
    claim: new ListCompositeType(HashType, 1),
  }),
  {
    ...limits('hello'),
    toWire: (hello: Hello) => ({ ...hello, claim: hello.claim === null ? [] : [hello.claim] }),
    fromWire: ({ claim: [claim], ...hello }) => ({ ...hello, claim: claim ?? null }),
  },
);

const proofCodec = strictCodec(new ContainerType({ signature: new ByteListType(SIGNATURE_BYTES_MAX) }), limits('proof'));

/** 0 is a welcome, k + 1 the k-th of the reasons. */
const verdictCodec = convertedCodec(new ContainerType({ verdict: new BoundedUintType(1, { min: 0, max: REFUSALS.length }) }), {
  ...limits('verdict'),
  toWire: ({ refusal }: { refusal: RefusalReason | null }) => ({ verdict: refusal === null ? 0 : REFUSALS.indexOf(refusal) + 1 }),
  fromWire: ({ verdict }) => ({ refusal: verdict === 0 ? null : (REFUSALS[verdict - 1] as RefusalReason) }),
});

/** Second byte of a message: the position here. */
const KINDS: readonly AdmissionMessage['kind'][] = ['hello', 'proof', 'verdict'];

function encodeBody(message: AdmissionMessage): Uint8Array {
  switch (message.kind) {
    case 'hello':
      return helloCodec.encode(message.hello);
    case 'proof':
      return proofCodec.encode(message);
    case 'verdict':
      return verdictCodec.encode(message);
  }
}

export function encodeAdmission(message: AdmissionMessage): Uint8Array {
  return concatBytes(Uint8Array.of(ADMISSION_VERSION, KINDS.indexOf(message.kind)), encodeBody(message));
}

/** @returns codes `WRONG_VERSION` for another version of this dialogue, `MALFORMED`; never throws */
export function decodeAdmission(bytes: Uint8Array): Result<AdmissionMessage> {
  const [version, kindByte] = bytes;
  if (version !== ADMISSION_VERSION) return fail({ code: 'WRONG_VERSION', version: version ?? null });
  const body = bytes.subarray(2);
  const kind = KINDS[kindByte ?? KINDS.length];
  if (kind === undefined) return fail({ code: 'MALFORMED', what: 'admission message', reason: 'unknown kind', bytes: bytes.length });
  switch (kind) {
    case 'hello':
      return mapped(helloCodec, body, (hello) => ({ kind: 'hello', hello }));
    case 'proof':
      return mapped(proofCodec, body, ({ signature }) => ({ kind: 'proof', signature }));
    case 'verdict':
      return mapped(verdictCodec, body, ({ refusal }) => ({ kind: 'verdict', refusal }));
  }
}

function mapped<Value>(
  codec: Codec<Value>,
  body: Uint8Array,
  toMessage: (value: Value) => AdmissionMessage,
): Result<AdmissionMessage, Refusal> {
  const decoded = codec.decode(body);
  return decoded.ok ? { ok: true, value: toMessage(decoded.value) } : decoded;
}
