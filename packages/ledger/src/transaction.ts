import { ContainerType, ListCompositeType } from '@chainsafe/ssz';
import { type Address, bytesEqual, fail, type Hash, ok, type Refusal, type Result } from '@nacre/base';
import { ChainType, FORMAT_VERSION, HashType, SignatureType, strictCodec, Uint53Type, VersionType } from '@nacre/consensus';
import { SCHEMES, taggedHash } from '@nacre/crypto';
import type { Genesis } from './genesis.ts';
import type { Operation } from './operation.ts';
import { checkOperations, type OperationContext } from './operation-rules.ts';
import { OperationType, operationFromWire, operationToWire, type WireOperation } from './operation-wire.ts';
import { type ChainParameters, PARAMETER_RULES } from './parameters.ts';
import { KeyIdType, NonceType } from './wire.ts';

/** Domain of transaction signatures. What is signed is the id, which covers the contents. */
export const TRANSACTION_CONTEXT = 'nacre/1/transaction';
const TRANSACTION_ID_TAG = 'nacre/1/tx-id';
const SIGNATURE_TAG = 'nacre/1/signature';
const BODY_TAG = 'nacre/1/body';

const ContentsType = new ContainerType({
  version: VersionType,
  genesisHash: HashType,
  chain: ChainType,
  account: HashType,
  keyId: KeyIdType,
  nonce: NonceType,
  validUntilMs: Uint53Type,
  operations: new ListCompositeType(OperationType, PARAMETER_RULES.operationsMax.max),
});
const contentsCodec = strictCodec(ContentsType, {
  name: 'transaction contents',
  bytesMax: PARAMETER_RULES.transactionBytesMax.max,
});
const EnvelopeType = new ContainerType({ version: VersionType, contents: ContentsType, signature: SignatureType });
const envelopeCodec = strictCodec(EnvelopeType, {
  name: 'transaction',
  bytesMax: PARAMETER_RULES.transactionBytesMax.max,
  sharesInput: true,
});

/** What an account signs. Network and version are checked while decoding and are the genesis' own. */
export interface TransactionContents {
  readonly chain: number;
  /** The signer. */
  readonly account: Address;
  /** Which of the account's keys the signature is for: see `keyIdOf`. */
  readonly keyId: Uint8Array;
  /** 16 bytes that make the id unique, so that a submission can be repeated without being applied twice. */
  readonly nonce: Uint8Array;
  /** The last block time, ms since 1970, at which the transaction may be included. */
  readonly validUntilMs: number;
  readonly operations: readonly Operation[];
}

/** A transaction that meets every rule that needs no state; its signature is not verified yet. */
export interface Transaction {
  /** Hash of the contents: what a client tracks, and what enters the chain once. */
  readonly txId: Hash;
  /** Hash of contents and signature: what a block lists and bodies are fetched by. */
  readonly bodyHash: Hash;
  readonly contents: TransactionContents;
  readonly signature: Uint8Array;
  /** Those that it was checked against; null if against none, because it was read from where only checked ones come. */
  readonly limits: ChainParameters | null;
  /** The canonical encoding. Whatever of the contents is bytes is a view of it, so nobody changes it. */
  readonly bytes: Uint8Array;
}

/** What stands for a signature in a body's hash. */
export function signatureHash(signature: Uint8Array): Hash {
  return taggedHash(SIGNATURE_TAG, signature);
}

/** The body's hash of a transaction of which only two hashes are known. */
export function bodyHashOf(txId: Hash, hashOfSignature: Hash): Hash {
  return taggedHash(BODY_TAG, txId, hashOfSignature);
}

/** The canonical encoding of `contents` and the hash of it that is signed. */
export function encodeContents(genesis: Genesis, contents: TransactionContents): { readonly bytes: Uint8Array; readonly txId: Hash } {
  const bytes = ContentsType.serialize(wireContents(genesis, contents));
  return { bytes, txId: taggedHash(TRANSACTION_ID_TAG, bytes) };
}

export function encodeTransaction(genesis: Genesis, contents: TransactionContents, signature: Uint8Array): Uint8Array {
  return EnvelopeType.serialize({ version: FORMAT_VERSION, contents: wireContents(genesis, contents), signature });
}

/**
 * Reads a transaction and checks all that does not depend on state or time.
 *
 * @param parameters those in force; whoever knows nothing but the genesis takes those that the network began with
 * @returns codes of `readTransaction` and `checkLimits`
 */
export function decodeTransaction(
  bytes: Uint8Array,
  genesis: Genesis,
  parameters: ChainParameters = genesis.parameters,
): Result<Transaction, Refusal> {
  const size = checkSize(bytes, parameters);
  if (!size.ok) return size;
  const read = readTransaction(bytes, genesis);
  if (!read.ok) return read;
  const checked = checkLimits(read.value, { scheme: genesis.scheme, parameters });
  return checked.ok ? ok({ ...read.value, limits: parameters }) : checked;
}

/** That a transaction keeps within the parameters. @returns codes `TRANSACTION_TOO_LARGE` and those of `checkOperations` */
export function checkLimits(
  { bytes, contents }: Pick<Transaction, 'bytes' | 'contents'>,
  context: OperationContext,
): Result<void, Refusal> {
  const size = checkSize(bytes, context.parameters);
  return size.ok ? checkOperations(contents.operations, context) : size;
}

function checkSize(bytes: Uint8Array, { transactionBytesMax }: ChainParameters): Result<void, Refusal> {
  if (bytes.length <= transactionBytesMax) return ok(undefined);
  return fail({ code: 'TRANSACTION_TOO_LARGE', bytes: bytes.length, max: transactionBytesMax });
}

/**
 * Reads a transaction whatever the limits are: one that is in the chain met those of its time, and one that a decided block lists will be
 * checked with it.
 *
 * @returns codes `MALFORMED`, `WRONG_NETWORK`, `WRONG_CHAIN`, `SIGNATURE_LENGTH`, `TEXT_INVALID`
 */
export function readTransaction(bytes: Uint8Array, genesis: Genesis): Result<Transaction, Refusal> {
  const decoded = envelopeCodec.decode(bytes);
  if (!decoded.ok) return decoded;
  const { contents: wire, signature } = decoded.value;
  if (!bytesEqual(wire.genesisHash, genesis.hash)) return fail({ code: 'WRONG_NETWORK' });
  if (wire.chain !== genesis.context.chain) return fail({ code: 'WRONG_CHAIN', chain: wire.chain });
  const { signatureBytes: signatureLength } = SCHEMES[genesis.scheme];
  if (signature.length !== signatureLength) return fail({ code: 'SIGNATURE_LENGTH', length: signature.length, expected: signatureLength });
  const operations = operationsFromWire(wire.operations);
  if (!operations.ok) return operations;
  const { chain, account, keyId, nonce, validUntilMs } = wire;
  const contents: TransactionContents = { chain, account, keyId, nonce, validUntilMs, operations: operations.value };
  const txId = taggedHash(TRANSACTION_ID_TAG, contentsBytes(bytes, signatureLength));
  return ok({ txId, bodyHash: bodyHashOf(txId, signatureHash(signature)), contents, signature, limits: null, bytes });
}

/**
 * Reads what an account signs, for a signer that asks what it signs. Of the rules, only the form is checked.
 *
 * @returns the contents and the id to sign; codes `MALFORMED`, `WRONG_NETWORK`, `WRONG_CHAIN`, `TEXT_INVALID`
 */
export function decodeContents(
  bytes: Uint8Array,
  genesis: Pick<Genesis, 'hash' | 'context'>,
): Result<Pick<Transaction, 'txId' | 'contents'>> {
  const decoded = contentsCodec.decode(bytes);
  if (!decoded.ok) return decoded;
  const { genesisHash, chain, account, keyId, nonce, validUntilMs, operations: wire } = decoded.value;
  if (!bytesEqual(genesisHash, genesis.hash)) return fail({ code: 'WRONG_NETWORK' });
  if (chain !== genesis.context.chain) return fail({ code: 'WRONG_CHAIN', chain });
  const operations = operationsFromWire(wire);
  if (!operations.ok) return operations;
  const contents = { chain, account, keyId, nonce, validUntilMs, operations: operations.value };
  return ok({ txId: taggedHash(TRANSACTION_ID_TAG, bytes), contents });
}

/** The id of a transaction by its canonical bytes, which a node stored after it had decoded them once. */
export function transactionIdOf(envelope: Uint8Array, genesis: Genesis): Hash {
  return taggedHash(TRANSACTION_ID_TAG, contentsBytes(envelope, SCHEMES[genesis.scheme].signatureBytes));
}

/**
 * The contents within an envelope's canonical bytes: version (1), two offsets (4 each), contents, signature.
 * Slicing saves encoding them a second time for the id.
 */
function contentsBytes(envelope: Uint8Array, signatureLength: number): Uint8Array {
  return envelope.subarray(1 + 4 + 4, envelope.length - signatureLength);
}

function operationsFromWire(wire: readonly WireOperation[]): Result<Operation[], Refusal> {
  const operations: Operation[] = [];
  for (const wireOperation of wire) {
    const operation = operationFromWire(wireOperation);
    if (!operation.ok) return fail({ ...operation.error, operation: operations.length });
    operations.push(operation.value);
  }
  return ok(operations);
}

function wireContents(genesis: Genesis, contents: TransactionContents) {
  const { chain, account, keyId, nonce, validUntilMs } = contents;
  const operations = contents.operations.map(operationToWire);
  return { version: FORMAT_VERSION, genesisHash: genesis.hash, chain, account, keyId, nonce, validUntilMs, operations };
}
