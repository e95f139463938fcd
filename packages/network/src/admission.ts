import {
  type Address,
  bytesEqual,
  fail,
  ok,
  type Random,
  type Refusal,
  type Result,
  type Signer,
  SignerError,
  type Verifier,
} from '@nacre/base';
import {
  ADMISSION_CONTEXT,
  type AdmissionMessage,
  type Challenge,
  challengeBytes,
  decodeAdmission,
  encodeAdmission,
  type Hello,
  NONCE_BYTES,
} from './admission-messages.ts';
import type { FrameStream } from './frame-stream.ts';
import { REFUSALS, type RefusalReason } from './network-counters.ts';

/** Who this node is, and how it checks who others are. */
export interface AdmissionOptions {
  readonly genesisHash: Uint8Array;
  readonly protocolVersion: number;
  readonly instance: Uint8Array;
  readonly peerId: Uint8Array;
  readonly identity: { readonly address: Address; readonly signer: Signer } | null;
  readonly validatorKey: (address: Address) => Uint8Array | undefined;
  readonly verifier: Verifier;
  readonly random: Random;
}

/** One connection that wants in. */
export interface AdmissionConnection {
  readonly dialogue: FrameStream;
  readonly remotePeerId: Uint8Array;
  /** The TLS exporter, empty over noise. */
  readonly binding: Uint8Array;
  /** Judges what does not depend on proofs: who is blocked, banned, one too many. Asked before signing and again at the end. */
  readonly judge: (candidate: Candidate) => RefusalReason | null;
}

/** What the other side has said of itself; the key is null for whoever counts as a follower. */
export interface Candidate {
  readonly claim: Address | null;
  /** Key of the committee's member that it claims to be. A claim of an unlisted address proves nothing and needs no proof. */
  readonly key: Uint8Array | null;
  readonly instance: Uint8Array;
}

/** Refused, by us or (then `byPeer`) by the other side. */
export type AdmissionRefusal = Refusal<RefusalReason>;

/**
 * The dialogue before everything else: greetings, proofs, verdicts, in both directions at once. libp2p's own handshake is
 * classical (Ed25519, P-256), so a validator is believed only by a signature of its post-quantum key over both peer ids,
 * both nonces and the TLS exporter: who sits between two connections has two exporters.
 */
export async function negotiateAdmission(
  options: AdmissionOptions,
  connection: AdmissionConnection,
): Promise<Result<Candidate, AdmissionRefusal>> {
  const { dialogue } = connection;
  const own: Hello = {
    genesisHash: options.genesisHash,
    protocolVersion: options.protocolVersion,
    nonce: options.random.bytes(NONCE_BYTES),
    instance: options.instance,
    claim: options.identity?.address ?? null,
  };
  say(dialogue, { kind: 'hello', hello: own });
  const hello = await hear(dialogue, 'hello');
  if (!hello.ok) return refuse(dialogue, hello.error);
  const theirs = hello.value.hello;
  const candidate = { claim: theirs.claim, key: keyOf(options, theirs.claim), instance: theirs.instance };
  const objection = judgeHello(options, theirs) ?? connection.judge(candidate);
  if (objection !== null) return refuse(dialogue, { code: objection });

  const ownProof = await prove(options, connection, { own, theirs });
  if (ownProof === null) return refuse(dialogue, { code: 'TIMEOUT', reason: 'own signer away' });
  say(dialogue, { kind: 'proof', signature: ownProof });
  const proof = await hear(dialogue, 'proof');
  if (!proof.ok) return refuse(dialogue, proof.error);
  if (!(await proven(options, connection, { own, theirs, candidate, signature: proof.value.signature }))) {
    return refuse(dialogue, { code: 'BAD_PROOF' });
  }
  const lateObjection = connection.judge(candidate);
  if (lateObjection !== null) return refuse(dialogue, { code: lateObjection });
  say(dialogue, { kind: 'verdict', refusal: null });
  const verdict = await hear(dialogue, 'verdict');
  if (!verdict.ok) return refuse(dialogue, verdict.error);
  await dialogue.close();
  return ok(candidate);
}

function judgeHello(options: AdmissionOptions, hello: Hello): RefusalReason | null {
  if (!bytesEqual(hello.genesisHash, options.genesisHash)) return 'WRONG_GENESIS';
  return hello.protocolVersion === options.protocolVersion ? null : 'WRONG_VERSION';
}

function keyOf(options: AdmissionOptions, claim: Address | null): Uint8Array | null {
  return claim === null ? null : (options.validatorKey(claim) ?? null);
}

interface Hellos {
  readonly own: Hello;
  readonly theirs: Hello;
}

/** @returns null if the key is in another process that does not answer */
async function prove(options: AdmissionOptions, connection: AdmissionConnection, { own, theirs }: Hellos): Promise<Uint8Array | null> {
  if (options.identity === null) return new Uint8Array(0);
  const challenge: Challenge = {
    genesisHash: options.genesisHash,
    protocolVersion: options.protocolVersion,
    address: options.identity.address,
    signerPeerId: options.peerId,
    verifierPeerId: connection.remotePeerId,
    signerNonce: own.nonce,
    verifierNonce: theirs.nonce,
    binding: connection.binding,
  };
  try {
    return await options.identity.signer.sign(challengeBytes(challenge), ADMISSION_CONTEXT);
  } catch (error) {
    if (error instanceof SignerError) return null;
    throw error;
  }
}

async function proven(
  options: AdmissionOptions,
  connection: AdmissionConnection,
  { own, theirs, candidate, signature }: Hellos & { readonly candidate: Candidate; readonly signature: Uint8Array },
): Promise<boolean> {
  if (candidate.key === null || candidate.claim === null) return true;
  const challenge: Challenge = {
    genesisHash: options.genesisHash,
    protocolVersion: options.protocolVersion,
    address: candidate.claim,
    signerPeerId: connection.remotePeerId,
    verifierPeerId: options.peerId,
    signerNonce: theirs.nonce,
    verifierNonce: own.nonce,
    binding: connection.binding,
  };
  return options.verifier.verify({ publicKey: candidate.key, message: challengeBytes(challenge), context: ADMISSION_CONTEXT, signature });
}

function say(dialogue: FrameStream, message: AdmissionMessage): void {
  dialogue.write(encodeAdmission(message));
}

type MessageOf<Kind extends AdmissionMessage['kind']> = Extract<AdmissionMessage, { kind: Kind }>;

/** Reads the message that is due; a verdict against us may come in its place. */
async function hear<Kind extends AdmissionMessage['kind']>(
  dialogue: FrameStream,
  kind: Kind,
): Promise<Result<MessageOf<Kind>, AdmissionRefusal>> {
  const frame = await dialogue.read();
  if (!frame.ok) return fail({ ...frame.error, code: reasonOf(frame.error.code) });
  const decoded = decodeAdmission(frame.value);
  if (!decoded.ok) return fail({ ...decoded.error, code: reasonOf(decoded.error.code) });
  const message = decoded.value;
  if (message.kind === 'verdict' && message.refusal !== null) return fail({ code: message.refusal, byPeer: true });
  if (message.kind !== kind) return fail({ code: 'MALFORMED', reason: `${message.kind} instead of ${kind}` });
  return ok(message as MessageOf<Kind>);
}

function reasonOf(code: string): RefusalReason {
  return (REFUSALS as readonly string[]).includes(code) ? (code as RefusalReason) : 'MALFORMED';
}

/** Tells the other side why, unless it was the one to say so. */
function refuse(dialogue: FrameStream, refusal: AdmissionRefusal): { readonly ok: false; readonly error: AdmissionRefusal } {
  if (refusal.byPeer !== true) say(dialogue, { kind: 'verdict', refusal: refusal.code });
  void dialogue.close();
  return fail(refusal);
}
