import { ByteListType, ContainerType, ListCompositeType } from '@chainsafe/ssz';
import {
  concatBytes,
  fail,
  type Hash,
  JOURNAL_MESSAGE_BYTES_MAX,
  ok,
  type RecalledMessage,
  type Result,
  SIGNER_FRAME_BYTES_MAX,
  SIGNER_MESSAGE_BYTES_MAX,
  SIGNER_RECALL_MESSAGES_MAX,
} from '@nacre/base';
import {
  BoundedUintType,
  type Codec,
  convertedCodec,
  FlagType,
  HashType,
  PublicKeyType,
  SignatureType,
  Uint53Type,
} from '@nacre/consensus';
import { SIGNER_REFUSALS, type SignerRefusal, type SignerRefusalCode } from '@nacre/replica';

/** First byte of every message. Another one ends the dialogue with `SIGNER_VERSION`. */
const SIGNER_VERSION = 1;
/** Domains of signatures are short ASCII texts. */
const CONTEXT_BYTES_MAX = 64;

/** What a node asks, one at a time. */
export type SignerRequest =
  /** First of all: for which network. */
  | { readonly kind: 'hello'; readonly genesisHash: Hash }
  | {
      readonly kind: 'sign';
      readonly context: Uint8Array;
      readonly message: Uint8Array;
      /** What `message` is the hash of; empty where it is no hash. */
      readonly contents: Uint8Array;
    }
  /** What was signed in consensus above a height, in the order of signing, without the first `skip`. */
  | { readonly kind: 'recall'; readonly aboveHeight: number; readonly skip: number };

/** What a signer answers, in the order of the questions. */
export type SignerAnswer =
  | {
      readonly kind: 'welcome';
      readonly publicKey: Uint8Array;
      /** No vote is signed at this height or below. */
      readonly floorHeight: number;
      /** Whether it signs votes at all. */
      readonly inDoubt: boolean;
    }
  | { readonly kind: 'signed'; readonly signature: Uint8Array }
  | { readonly kind: 'recalled'; readonly messages: readonly RecalledMessage[]; readonly more: boolean }
  | { readonly kind: 'refused'; readonly code: SignerRefusalCode };

const CountType = new BoundedUintType(4, { min: 0, max: 2 ** 32 - 1 });
const limits = (name: string) => ({ name, bytesMax: SIGNER_FRAME_BYTES_MAX });

const helloCodec = convertedCodec(new ContainerType({ genesisHash: HashType }), {
  ...limits('hello'),
  toWire: ({ genesisHash }: SignerRequest & { kind: 'hello' }) => ({ genesisHash }),
  fromWire: ({ genesisHash }) => ({ kind: 'hello', genesisHash }) as const,
});

const signType = new ContainerType({
  context: new ByteListType(CONTEXT_BYTES_MAX),
  message: new ByteListType(SIGNER_MESSAGE_BYTES_MAX),
  contents: new ByteListType(SIGNER_MESSAGE_BYTES_MAX),
});
const signCodec = convertedCodec(signType, {
  ...limits('sign request'),
  toWire: ({ context, message, contents }: SignerRequest & { kind: 'sign' }) => ({ context, message, contents }),
  fromWire: (wire) => ({ kind: 'sign', ...wire }) as const,
});

const recallCodec = convertedCodec(new ContainerType({ aboveHeight: Uint53Type, skip: CountType }), {
  ...limits('recall request'),
  toWire: ({ aboveHeight, skip }: SignerRequest & { kind: 'recall' }) => ({ aboveHeight, skip }),
  fromWire: (wire) => ({ kind: 'recall', ...wire }) as const,
});

const welcomeCodec = convertedCodec(new ContainerType({ publicKey: PublicKeyType, floorHeight: Uint53Type, inDoubt: FlagType }), {
  ...limits('welcome'),
  toWire: ({ publicKey, floorHeight, inDoubt }: SignerAnswer & { kind: 'welcome' }) => ({
    publicKey,
    floorHeight,
    inDoubt: Number(inDoubt),
  }),
  fromWire: ({ publicKey, floorHeight, inDoubt }) => ({ kind: 'welcome', publicKey, floorHeight, inDoubt: inDoubt === 1 }) as const,
});

const signedCodec = convertedCodec(new ContainerType({ signature: SignatureType }), {
  ...limits('signature'),
  toWire: ({ signature }: SignerAnswer & { kind: 'signed' }) => ({ signature }),
  fromWire: ({ signature }) => ({ kind: 'signed', signature }) as const,
});

const recalledType = new ContainerType({
  messages: new ListCompositeType(
    new ContainerType({ kind: FlagType, bytes: new ByteListType(JOURNAL_MESSAGE_BYTES_MAX) }),
    SIGNER_RECALL_MESSAGES_MAX,
  ),
  more: FlagType,
});
const recalledCodec = convertedCodec(recalledType, {
  ...limits('recalled messages'),
  toWire: ({ messages, more }: SignerAnswer & { kind: 'recalled' }) => ({
    messages: messages.map(({ kind, bytes }) => ({ kind: kind === 'vote' ? 0 : 1, bytes })),
    more: Number(more),
  }),
  fromWire: ({ messages, more }): SignerAnswer & { kind: 'recalled' } => ({
    kind: 'recalled',
    messages: messages.map(({ kind, bytes }) => ({ kind: kind === 0 ? 'vote' : 'proposal', bytes })),
    more: more === 1,
  }),
});

const refusedCodec = convertedCodec(new ContainerType({ code: new BoundedUintType(1, { min: 0, max: SIGNER_REFUSALS.length - 1 }) }), {
  ...limits('refusal'),
  toWire: ({ code }: SignerAnswer & { kind: 'refused' }) => ({ code: SIGNER_REFUSALS.indexOf(code) }),
  fromWire: ({ code }) => ({ kind: 'refused', code: SIGNER_REFUSALS[code] as SignerRefusalCode }) as const,
});

/** Second byte of a message: the position here. */
const REQUEST_KINDS = ['hello', 'sign', 'recall'] as const;
const ANSWER_KINDS = ['welcome', 'signed', 'recalled', 'refused'] as const;

const requestCodecs: { readonly [Kind in SignerRequest['kind']]: Codec<SignerRequest & { kind: Kind }> } = {
  hello: helloCodec,
  sign: signCodec,
  recall: recallCodec,
};
const answerCodecs: { readonly [Kind in SignerAnswer['kind']]: Codec<SignerAnswer & { kind: Kind }> } = {
  welcome: welcomeCodec,
  signed: signedCodec,
  recalled: recalledCodec,
  refused: refusedCodec,
};

export function encodeSignerRequest(request: SignerRequest): Uint8Array {
  const codec = requestCodecs[request.kind] as Codec<SignerRequest>;
  return concatBytes(Uint8Array.of(SIGNER_VERSION, REQUEST_KINDS.indexOf(request.kind)), codec.encode(request));
}

/** @returns codes `SIGNER_VERSION`, `MALFORMED`; never throws */
export function decodeSignerRequest(bytes: Uint8Array): Result<SignerRequest, SignerRefusal> {
  return decode<SignerRequest>(bytes, REQUEST_KINDS, requestCodecs);
}

export function encodeSignerAnswer(answer: SignerAnswer): Uint8Array {
  const codec = answerCodecs[answer.kind] as Codec<SignerAnswer>;
  return concatBytes(Uint8Array.of(SIGNER_VERSION, ANSWER_KINDS.indexOf(answer.kind)), codec.encode(answer));
}

/** @returns codes `SIGNER_VERSION`, `MALFORMED`; never throws */
export function decodeSignerAnswer(bytes: Uint8Array): Result<SignerAnswer, SignerRefusal> {
  return decode<SignerAnswer>(bytes, ANSWER_KINDS, answerCodecs);
}

function decode<Message extends { readonly kind: string }>(
  bytes: Uint8Array,
  kinds: readonly Message['kind'][],
  codecs: Readonly<Record<Message['kind'], unknown>>,
): Result<Message, SignerRefusal> {
  const [version, kindByte] = bytes;
  if (version !== SIGNER_VERSION) return fail({ code: 'SIGNER_VERSION', version: version ?? null });
  const kind = kinds[kindByte ?? kinds.length];
  if (kind === undefined) return fail({ code: 'MALFORMED', reason: 'unknown kind' });
  const decoded = (codecs[kind] as Codec<Message>).decode(bytes.subarray(2));
  return decoded.ok ? ok(decoded.value) : decoded;
}
