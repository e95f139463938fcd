import { ByteListType, ByteVectorType, ContainerType, ListCompositeType, type Type } from '@chainsafe/ssz';
import { concatBytes, FRAME_BYTES_MAX, fail, fromUtf8, HASH_BYTES, type Hash, ok, type Refusal, type Result, utf8 } from '@nacre/base';
import {
  BoundedUintType,
  bitsToValidators,
  type Certificate,
  CertificateType,
  type Codec,
  certificateFromWire,
  certificateToWire,
  convertedCodec,
  FlagType,
  type Proposal,
  ProposalType,
  proposalFromWire,
  proposalToWire,
  type RoundState,
  RoundStateType,
  roundStateFromWire,
  roundStateToWire,
  Uint53Type,
  ValidatorSetType,
  type Vote,
  VoteType,
  validatorsToBits,
  voteFromWire,
  voteToWire,
} from '@nacre/consensus';
import {
  BLOCK_BYTES_MAX,
  decodeHeader,
  encodeHeader,
  HEADER_BYTES_MAX,
  type Header,
  isPartName,
  PARAMETER_RULES,
  PART_NAME_BYTES_MAX,
  type PartName,
  SNAPSHOT_PART_BYTES_MAX,
  type SnapshotManifest,
  snapshotManifestCodec,
} from '@nacre/ledger';
import { INSTANCE_BYTES } from './instance-guard.ts';

/** First byte of every frame. Another one is refused: versions meet at the handshake, not here. */
export const WIRE_VERSION = 1;
/** Votes in one frame: a whole committee's prepares and commits, and some. */
export const VOTES_PER_FRAME_MAX = 256;
/** Transactions in one gossip frame; its bytes are bounded by the frame. */
export const TRANSACTIONS_PER_FRAME_MAX = 1024;
/** Bodies asked for at once. */
export const BODIES_PER_REQUEST_MAX = 1024;
/** Headers asked for at once; also how far apart the certificates may lie that a synced node keeps. */
export const HEADERS_PER_REQUEST_MAX = 512;
/** Blocks asked for at once. */
export const BLOCKS_PER_REQUEST_MAX = 64;
/** Parts of a snapshot asked for at once. */
export const PARTS_PER_REQUEST_MAX = 16;
/** Bytes of parts after which an answer takes no further one. */
export const PARTS_ANSWER_BYTES = 2 * 1024 * 1024;
/** Snapshots that one answer names, the newest. */
export const SNAPSHOTS_PER_ANSWER_MAX = 4;
/** Above the encoding of a manifest in bytes. */
const MANIFEST_BYTES_MAX = 64;
/** Counted for each item of an answer besides its bytes: more than SSZ's offsets take. */
export const ANSWER_ITEM_OVERHEAD_BYTES = 64;
/** Bytes of an answer. The server stops before it; one block with its bodies always fits by the genesis' limits. */
export const ANSWER_BYTES_MAX =
  PARAMETER_RULES.blockBytesMax.max + BLOCK_BYTES_MAX + PARAMETER_RULES.blockTransactionsMax.max * ANSWER_ITEM_OVERHEAD_BYTES;

/** What replicas tell one another unasked. Compact blocks stay encoded here: whoever takes one decodes it, and most frames repeat one that is known. */
export type Message =
  /** A proposal with its compact block, and the prepares that justify proposing a block again. */
  | { readonly kind: 'proposal'; readonly proposal: Proposal; readonly block: Uint8Array; readonly justification: readonly Vote[] }
  | { readonly kind: 'votes'; readonly votes: readonly Vote[] }
  | { readonly kind: 'round-state'; readonly state: RoundState }
  | { readonly kind: 'transactions'; readonly bodies: readonly Uint8Array[] }
  /** A block and the commits that decided it, for whoever is still at its height. */
  | { readonly kind: 'decided'; readonly certificate: Certificate; readonly block: Uint8Array }
  /** "This connection is the instance … of the validator that it has proven to be." */
  | { readonly kind: 'instance'; readonly instance: Uint8Array }
  /** The answer: whether it is acknowledged, and the latest votes of that validator that the peer has seen. */
  | { readonly kind: 'instance-answer'; readonly instance: Uint8Array; readonly accepted: boolean; readonly votes: readonly Vote[] }
  /** Whom a validator hears at present, by their places in the committee of that epoch. Believed of nobody but the other end of the connection. */
  | { readonly kind: 'reach'; readonly epoch: number; readonly heard: readonly number[] };

/** What replicas ask one another. */
export type Request =
  | { readonly kind: 'block'; readonly hash: Hash }
  | { readonly kind: 'bodies'; readonly hashes: readonly Hash[] }
  | { readonly kind: 'headers'; readonly from: number; readonly count: number }
  | { readonly kind: 'blocks'; readonly from: number; readonly count: number }
  /** Which snapshots of the state the peer has. */
  | { readonly kind: 'snapshots' }
  | { readonly kind: 'snapshot-parts'; readonly height: number; readonly names: readonly PartName[] };

export interface BlockAnswer {
  readonly block: Uint8Array | null;
}
export interface BodiesAnswer {
  /** Those that the peer has, in the order asked for. */
  readonly bodies: readonly Uint8Array[];
}
export interface HeadersAnswer {
  readonly headers: readonly Header[];
  /** Decides the last of the headers; null with no headers. */
  readonly certificate: Certificate | null;
}
export interface BlocksAnswer {
  readonly blocks: readonly { readonly block: Uint8Array; readonly bodies: readonly Uint8Array[] }[];
}
export interface SnapshotsAnswer {
  /** The newest first. */
  readonly manifests: readonly SnapshotManifest[];
}
export interface SnapshotPartsAnswer {
  /** In the order asked for, as many from the first one on as the peer has and an answer takes. */
  readonly parts: readonly Uint8Array[];
}
export interface Answers {
  readonly snapshots: SnapshotsAnswer;
  readonly 'snapshot-parts': SnapshotPartsAnswer;
  readonly block: BlockAnswer;
  readonly bodies: BodiesAnswer;
  readonly headers: HeadersAnswer;
  readonly blocks: BlocksAnswer;
}
export type Answer<Kind extends Request['kind']> = Answers[Kind];

const blockBytes = new ByteListType(BLOCK_BYTES_MAX);
const bodyBytes = new ByteListType(FRAME_BYTES_MAX);
const voteList = new ListCompositeType(VoteType, VOTES_PER_FRAME_MAX);
const instanceBytes = new ByteVectorType(INSTANCE_BYTES);
const hashBytes = new ByteVectorType(HASH_BYTES);

/** Inner formats are decoded by their own strict codecs; a refusal there makes the whole frame malformed. */
function read<Value>(result: Result<Value, Refusal>): Value {
  if (!result.ok) throw new RangeError(result.error.code);
  return result.value;
}

function partNameOf(bytes: Uint8Array): PartName {
  const name = fromUtf8(bytes);
  if (name === undefined || !isPartName(name)) throw new RangeError('no name of a part');
  return name;
}

function codecOf<Wire, Value>(
  name: string,
  type: Type<Wire>,
  toWire: (value: Value) => Wire,
  fromWire: (wire: Wire) => Value,
): Codec<Value> {
  // What is decoded has passed the bound of its frame, which is the lower one.
  return convertedCodec(type, { name, bytesMax: ANSWER_BYTES_MAX, toWire, fromWire });
}

type MessageOf<Kind extends Message['kind']> = Extract<Message, { kind: Kind }>;
type RequestOf<Kind extends Request['kind']> = Extract<Request, { kind: Kind }>;

const MESSAGE_CODECS: { readonly [Kind in Message['kind']]: Codec<MessageOf<Kind>> } = {
  proposal: codecOf(
    'proposal message',
    new ContainerType({ proposal: ProposalType, block: blockBytes, justification: voteList }),
    ({ proposal, block, justification }) => ({
      proposal: proposalToWire(proposal),
      block,
      justification: justification.map(voteToWire),
    }),
    ({ proposal, block, justification }) => ({
      kind: 'proposal',
      proposal: proposalFromWire(proposal),
      block,
      justification: justification.map(voteFromWire),
    }),
  ),
  votes: codecOf(
    'votes message',
    new ContainerType({ votes: voteList }),
    ({ votes }) => ({ votes: votes.map(voteToWire) }),
    ({ votes }) => ({ kind: 'votes', votes: votes.map(voteFromWire) }),
  ),
  'round-state': codecOf(
    'round state message',
    RoundStateType,
    ({ state }) => roundStateToWire(state),
    (state) => ({ kind: 'round-state', state: roundStateFromWire(state) }),
  ),
  transactions: codecOf(
    'transactions message',
    new ContainerType({ bodies: new ListCompositeType(bodyBytes, TRANSACTIONS_PER_FRAME_MAX) }),
    ({ bodies }) => ({ bodies: [...bodies] }),
    ({ bodies }) => ({ kind: 'transactions', bodies }),
  ),
  decided: codecOf(
    'decided message',
    new ContainerType({ certificate: CertificateType, block: blockBytes }),
    ({ certificate, block }) => ({ certificate: certificateToWire(certificate), block }),
    ({ certificate, block }) => ({ kind: 'decided', certificate: certificateFromWire(certificate), block }),
  ),
  instance: codecOf(
    'instance message',
    new ContainerType({ instance: instanceBytes }),
    ({ instance }) => ({ instance }),
    ({ instance }) => ({ kind: 'instance', instance }),
  ),
  'instance-answer': codecOf(
    'instance answer message',
    new ContainerType({ instance: instanceBytes, accepted: FlagType, votes: voteList }),
    ({ instance, accepted, votes }) => ({ instance, accepted: accepted ? 1 : 0, votes: votes.map(voteToWire) }),
    ({ instance, accepted, votes }) => ({ kind: 'instance-answer', instance, accepted: accepted === 1, votes: votes.map(voteFromWire) }),
  ),
  reach: codecOf(
    'reach message',
    new ContainerType({ epoch: Uint53Type, heard: ValidatorSetType }),
    ({ epoch, heard }) => ({ epoch, heard: validatorsToBits(heard) }),
    ({ epoch, heard }) => ({ kind: 'reach', epoch, heard: bitsToValidators(heard) }),
  ),
};

const REQUEST_CODECS: { readonly [Kind in Request['kind']]: Codec<RequestOf<Kind>> } = {
  block: codecOf(
    'block request',
    new ContainerType({ hash: hashBytes }),
    ({ hash }) => ({ hash }),
    ({ hash }) => ({ kind: 'block', hash }),
  ),
  bodies: codecOf(
    'bodies request',
    new ContainerType({ hashes: new ListCompositeType(hashBytes, BODIES_PER_REQUEST_MAX) }),
    ({ hashes }) => ({ hashes: [...hashes] }),
    ({ hashes }) => ({ kind: 'bodies', hashes }),
  ),
  headers: codecOf(
    'headers request',
    new ContainerType({ from: Uint53Type, count: new BoundedUintType(4, { min: 1, max: HEADERS_PER_REQUEST_MAX }) }),
    ({ from, count }) => ({ from, count }),
    ({ from, count }) => ({ kind: 'headers', from, count }),
  ),
  blocks: codecOf(
    'blocks request',
    new ContainerType({ from: Uint53Type, count: new BoundedUintType(4, { min: 1, max: BLOCKS_PER_REQUEST_MAX }) }),
    ({ from, count }) => ({ from, count }),
    ({ from, count }) => ({ kind: 'blocks', from, count }),
  ),
  snapshots: codecOf(
    'snapshots request',
    new ContainerType({ one: FlagType }),
    () => ({ one: 1 }),
    ({ one }) => {
      if (one !== 1) throw new RangeError('it asks for nothing');
      return { kind: 'snapshots' };
    },
  ),
  'snapshot-parts': codecOf(
    'snapshot parts request',
    new ContainerType({ height: Uint53Type, names: new ListCompositeType(new ByteListType(PART_NAME_BYTES_MAX), PARTS_PER_REQUEST_MAX) }),
    ({ height, names }) => ({ height, names: names.map(utf8) }),
    ({ height, names }) => ({ kind: 'snapshot-parts', height, names: names.map(partNameOf) }),
  ),
};

const ANSWER_CODECS: { readonly [Kind in Request['kind']]: Codec<Answers[Kind]> } = {
  block: codecOf(
    'block answer',
    new ContainerType({ block: new ListCompositeType(blockBytes, 1) }),
    ({ block }) => ({ block: block === null ? [] : [block] }),
    ({ block: [block] }) => ({ block: block ?? null }),
  ),
  bodies: codecOf(
    'bodies answer',
    new ContainerType({ bodies: new ListCompositeType(bodyBytes, BODIES_PER_REQUEST_MAX) }),
    ({ bodies }) => ({ bodies: [...bodies] }),
    ({ bodies }) => ({ bodies }),
  ),
  headers: codecOf(
    'headers answer',
    new ContainerType({
      headers: new ListCompositeType(new ByteListType(HEADER_BYTES_MAX), HEADERS_PER_REQUEST_MAX),
      certificate: new ListCompositeType(CertificateType, 1),
    }),
    ({ headers, certificate }) => ({
      headers: headers.map(encodeHeader),
      certificate: certificate === null ? [] : [certificateToWire(certificate)],
    }),
    ({ headers, certificate: [certificate] }) => ({
      headers: headers.map((header) => read(decodeHeader(header))),
      certificate: certificate === undefined ? null : certificateFromWire(certificate),
    }),
  ),
  blocks: codecOf(
    'blocks answer',
    new ContainerType({
      blocks: new ListCompositeType(
        new ContainerType({ block: blockBytes, bodies: new ListCompositeType(bodyBytes, 2 ** 16) }),
        BLOCKS_PER_REQUEST_MAX,
      ),
    }),
    ({ blocks }) => ({ blocks: blocks.map(({ block, bodies }) => ({ block, bodies: [...bodies] })) }),
    ({ blocks }) => ({ blocks }),
  ),
  snapshots: codecOf(
    'snapshots answer',
    new ContainerType({ manifests: new ListCompositeType(new ByteListType(MANIFEST_BYTES_MAX), SNAPSHOTS_PER_ANSWER_MAX) }),
    ({ manifests }) => ({ manifests: manifests.map(snapshotManifestCodec.encode) }),
    ({ manifests }) => ({ manifests: manifests.map((manifest) => read(snapshotManifestCodec.decode(manifest))) }),
  ),
  'snapshot-parts': codecOf(
    'snapshot parts answer',
    new ContainerType({ parts: new ListCompositeType(new ByteListType(SNAPSHOT_PART_BYTES_MAX), PARTS_PER_REQUEST_MAX) }),
    ({ parts }) => ({ parts: [...parts] }),
    ({ parts }) => ({ parts }),
  ),
};

/** Second byte of a frame: the position here. Never reordered, only extended. */
const MESSAGE_KINDS: readonly Message['kind'][] = [
  'proposal',
  'votes',
  'round-state',
  'transactions',
  'decided',
  'instance',
  'instance-answer',
  'reach',
];
const REQUEST_KINDS: readonly Request['kind'][] = ['block', 'bodies', 'headers', 'blocks', 'snapshots', 'snapshot-parts'];

function frame(kind: number, payload: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(WIRE_VERSION, kind), payload);
}

function unframe<Kind extends string>(
  bytes: Uint8Array,
  kinds: readonly Kind[],
  bytesMax = FRAME_BYTES_MAX,
): Result<{ kind: Kind; payload: Uint8Array }> {
  const [version, kindByte] = bytes;
  if (bytes.length > bytesMax) return fail({ code: 'FRAME_TOO_LARGE', bytes: bytes.length, bytesMax });
  if (version !== WIRE_VERSION) return fail({ code: 'FRAME_VERSION', version: version ?? null });
  const kind = kinds[kindByte ?? kinds.length];
  if (kind === undefined) return fail({ code: 'FRAME_KIND', kind: kindByte ?? null });
  return ok({ kind, payload: bytes.subarray(2) });
}

export function encodeMessage(message: Message): Uint8Array {
  const codec = MESSAGE_CODECS[message.kind] as Codec<Message>;
  return frame(MESSAGE_KINDS.indexOf(message.kind), codec.encode(message));
}

/** What a frame says that it is, by its first two bytes; null for no message of this version. The rest may still be malformed. */
export function messageKind(bytes: Uint8Array): Message['kind'] | null {
  const unframed = unframe(bytes, MESSAGE_KINDS);
  return unframed.ok ? unframed.value.kind : null;
}

/** @returns codes `FRAME_TOO_LARGE`, `FRAME_VERSION`, `FRAME_KIND`, `MALFORMED`; never throws */
export function decodeMessage(bytes: Uint8Array): Result<Message> {
  const unframed = unframe(bytes, MESSAGE_KINDS);
  if (!unframed.ok) return unframed;
  return (MESSAGE_CODECS[unframed.value.kind] as Codec<Message>).decode(unframed.value.payload);
}

export function encodeRequest(request: Request): Uint8Array {
  const codec = REQUEST_CODECS[request.kind] as Codec<Request>;
  return frame(REQUEST_KINDS.indexOf(request.kind), codec.encode(request));
}

/** @returns codes as for messages; never throws */
export function decodeRequest(bytes: Uint8Array): Result<Request> {
  const unframed = unframe(bytes, REQUEST_KINDS);
  if (!unframed.ok) return unframed;
  return (REQUEST_CODECS[unframed.value.kind] as Codec<Request>).decode(unframed.value.payload);
}

export function encodeAnswer<Kind extends Request['kind']>(kind: Kind, answer: Answer<Kind>): Uint8Array {
  return frame(REQUEST_KINDS.indexOf(kind), ANSWER_CODECS[kind].encode(answer));
}

/** @returns codes as for messages, and `FRAME_KIND` for the answer to another question; never throws */
export function decodeAnswer<Kind extends Request['kind']>(kind: Kind, bytes: Uint8Array): Result<Answer<Kind>> {
  const unframed = unframe(bytes, REQUEST_KINDS, ANSWER_BYTES_MAX);
  if (!unframed.ok) return unframed;
  if (unframed.value.kind !== kind) return fail({ code: 'FRAME_KIND', kind: bytes[1] ?? null });
  return (ANSWER_CODECS[kind] as Codec<Answer<Kind>>).decode(unframed.value.payload);
}
