import { fromHex, HASH_BYTES, NacreError, type Refusal, toHex } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';

interface ErrorEntry {
  /** JSON-RPC code: the specification's own, or -32000 to -32099. Never reused for another meaning. */
  readonly number: number;
  readonly message: string;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** What the caller can do. */
  readonly hint: string;
}

/** In the order: number, message, retryable, hint. */
const entry = (number: number, message: string, retryable: boolean, hint: string): ErrorEntry => ({ number, message, retryable, hint });

const CHANGE_TRANSACTION = 'Change the transaction to meet the limit or rule and sign it anew.';
const SIGN_ANEW = 'Sign the same operations again with a new nonce and a time that is still to come.';
const USE_JSON_RPC = 'Send one JSON-RPC 2.0 request or a batch; rpc.discover describes the methods.';

/** Every error of the RPC. `data.code` names the row; programs should look at it, not at the number or the message. */
export const RPC_ERRORS = {
  // JSON-RPC 2.0, section 5.1.
  PARSE_ERROR: entry(-32700, 'The body is not JSON in UTF-8.', false, USE_JSON_RPC),
  INVALID_REQUEST: entry(-32600, 'Not a JSON-RPC 2.0 request.', false, USE_JSON_RPC),
  METHOD_NOT_FOUND: entry(
    -32601,
    'No such method.',
    false,
    'rpc.discover lists the methods; subscribe and unsubscribe exist on the WebSocket /ws only.',
  ),
  INVALID_PARAMS: entry(
    -32602,
    'The parameters do not fit the method.',
    false,
    'Parameters go by name; "issues" says which one is wrong. rpc.discover has the schemas.',
  ),
  INTERNAL_ERROR: entry(-32603, 'The node failed to answer.', true, "The node's log says why."),

  /** What a part of the node refuses with a code that stands in no row. */
  REFUSED: entry(-32000, 'Refused.', false, '"reason" says why.'),

  // The way in.
  HOST_FORBIDDEN: entry(
    -32001,
    'The Host header names no host of this node.',
    false,
    'Use the address that the node printed, or add the name to rpc.allowedHosts.',
  ),
  ORIGIN_FORBIDDEN: entry(
    -32002,
    'Web pages of this origin may not use the node.',
    false,
    'Add the origin to rpc.allowedOrigins if you trust its pages.',
  ),
  CONTENT_TYPE_UNSUPPORTED: entry(
    -32003,
    'The content type is not application/json.',
    false,
    'Send the header content-type: application/json.',
  ),
  BODY_TOO_LARGE: entry(-32004, 'The body is too large.', false, 'Send fewer or smaller calls.'),
  PATH_UNKNOWN: entry(
    -32005,
    'Nothing is here.',
    false,
    'There are POST /, the WebSocket GET /ws, GET /healthz, GET /readyz and GET /metrics.',
  ),
  HTTP_MALFORMED: entry(-32006, 'The HTTP request is not acceptable.', false, 'See "reason".'),
  RATE_LIMITED: entry(-32007, 'Too many calls.', true, 'Wait retryAfterMs; batch records to need fewer calls.'),
  BATCH_TOO_LARGE: entry(-32008, 'The batch has too many calls.', false, 'Split it.'),
  ANSWER_TOO_LARGE: entry(-32009, 'The answers to this batch are too large together.', false, 'Make this call by itself.'),
  TOO_MANY_WAITS: entry(
    -32010,
    'Too many calls wait for a final status.',
    true,
    'Submit with wait "admitted" and ask tx_get later, or try again.',
  ),
  TOO_MANY_SOCKETS: entry(-32011, 'Too many WebSockets are open.', true, 'Close some; one carries many calls and subscriptions.'),
  TOO_MANY_SUBSCRIPTIONS: entry(
    -32012,
    'This WebSocket has too many subscriptions.',
    false,
    'Unsubscribe from some, or open another WebSocket.',
  ),
  SUBSCRIPTION_UNKNOWN: entry(-32013, 'No such subscription on this WebSocket.', false, 'Subscriptions end with their WebSocket.'),
  CURSOR_INVALID: entry(
    -32014,
    'The cursor is not one of this topic.',
    false,
    'Give a cursor as an event or a subscribe result of this topic carried it.',
  ),

  // What was asked for is not here.
  CHAIN_UNKNOWN: entry(-32020, 'No such chain.', false, 'node_status lists the chains.'),
  BLOCK_UNKNOWN: entry(-32021, 'No such block is decided here.', true, 'Heights go from 1 to the one that node_status tells.'),
  RECORD_PRUNED: entry(
    -32043,
    'The record was decided, and the block that holds it is no longer on this node.',
    false,
    'Ask a node that keeps all blocks (firstHeight 1), or go on from nextIndex.',
  ),
  EVIDENCE_PRUNED: entry(
    -32044,
    'The offence was proven in a block that is not on this node.',
    false,
    'Ask a node that keeps all blocks (firstHeight 1), or go on from the next offence.',
  ),
  RECORD_UNKNOWN: entry(-32022, 'The service has no record with this index.', true, 'Indexes go from 0 to below recordCount.'),
  NO_CERTIFICATE: entry(-32023, 'The certificate of the latest block is not here yet.', true, 'Try again after the next block.'),
  PROOF_BUSY: entry(-32024, 'Blocks came faster than the proof could be made.', true, 'Try again.'),
  KEY_INVALID: entry(-32025, 'A proof by key needs a key.', false, 'Give a key that is not empty, or an index.'),
  CHECKPOINT_AHEAD: entry(
    -32026,
    'The checkpoint is ahead of what this node can prove.',
    true,
    'Ask another node, or again after the next block.',
  ),
  PROOF_TOO_LONG: entry(
    -32027,
    'The validators changed too often since the checkpoint for one proof.',
    false,
    'Advance the checkpoint with light_update (nacre checkpoint) first, and ask from its height.',
  ),

  CHANGE_REFUSED: entry(
    -32028,
    'The network would not decide this change now.',
    false,
    '"reason" and "why" say what stands against it; validator_list and validator_proposals show what is decided and under way.',
  ),

  // How a transaction ended.
  TRANSACTION_FAILED: entry(
    -32030,
    'The transaction was decided and had no effect.',
    false,
    '"reason" says which operation failed; put that right and sign a new transaction.',
  ),
  TRANSACTION_EXPIRED: entry(-32031, 'The transaction was not decided in time and never will be.', false, SIGN_ANEW),
  TRANSACTION_UNKNOWN: entry(
    -32032,
    'The transaction of this request is not known any more.',
    false,
    'The store was damaged; look for the record before you submit it under a new requestId.',
  ),

  // record_submit.
  RECORDS_DISABLED: entry(
    -32035,
    'This node signs no records for clients.',
    false,
    'Sign the transaction yourself and use tx_submit, or set records.submit in the configuration.',
  ),
  REQUEST_ID_REUSED: entry(-32036, 'The requestId was used for something else.', false, 'Use a new requestId for each new submission.'),
  REQUEST_IDS_FULL: entry(
    -32037,
    'The node keeps as many request ids as it may.',
    true,
    'Submit without requestId, or wait until the oldest are seven days old.',
  ),
  SERVICE_PENDING: entry(
    -32038,
    "The node's account or the service is not decided yet.",
    true,
    'Try again. While the network cannot decide (see node_status), a node takes records only for services that were decided before.',
  ),
  SPONSOR_MISSING: entry(
    -32039,
    'The node has no account, and no validator key to make one with.',
    false,
    'Submit to a validator, or have one create an account for this node.',
  ),
  PAYLOAD_INVALID: entry(
    -32040,
    'The payload has no canonical JSON form.',
    false,
    'Numbers must be finite and texts well-formed Unicode (RFC 8785).',
  ),

  SIGNER_AWAY: entry(
    -32041,
    "The process that holds the node's validator key does not answer.",
    true,
    'Start it with `nacre signer`; the node goes on by itself.',
  ),
  SIGNER_REFUSED: entry(
    -32042,
    "The process that holds the node's validator key does not sign this.",
    false,
    'Its log says why; `nacre signer --allow` names the operations that it signs.',
  ),

  // Admission: what may be different later.
  STOPPED: entry(-32045, 'The node is stopping.', true, 'Use another node, or wait until this one is back.'),
  STORE_FAILED: entry(-32046, 'The node could not write to its disk.', true, "Use another node; check this one's disk."),
  MEMPOOL_FULL: entry(-32047, 'Too many transactions are pending.', true, 'Wait for a block and try again.'),
  ACCOUNT_FULL: entry(-32048, 'Too many transactions of this account are pending.', true, 'Wait for some to be decided and try again.'),
  QUOTA_EXCEEDED: entry(
    -32049,
    "The sponsor's quota of this window is used up.",
    true,
    'Try again after windowEndMs; if the share is 0, another validator has to create the account again.',
  ),
  UNKNOWN_ACCOUNT: entry(
    -32050,
    'The account is not known.',
    true,
    'Have a validator create it; it can sign from the next block on. A node that is catching up has to get there first.',
  ),
  UNKNOWN_SERVICE: entry(-32051, 'The service is not known.', true, 'Create it first; it can be used from the next block on.'),
  NOT_A_WRITER: entry(-32052, 'The account may not write to this service.', false, 'Have an owner of the service add it to the writers.'),
  NOT_AN_OWNER: entry(-32053, 'The account does not own the service.', false, 'Have an owner sign it.'),
  NOT_A_VALIDATOR: entry(-32054, 'Only a validator may do this.', false, "Have it signed with a validator's key."),
  SCHEMA_NOT_LISTED: entry(
    -32055,
    'The service does not list this schema and version.',
    false,
    'Have an owner add it with service.update.',
  ),
  ACCOUNT_EXISTS: entry(-32056, 'The account exists.', false, 'Use it.'),
  SERVICE_EXISTS: entry(-32057, 'A service of this name exists.', false, 'Choose another name, or have its owner make you a writer.'),
  ACCOUNT_QUOTA_EXCEEDED: entry(-32058, 'The validator sponsors as many accounts as it may.', false, 'Ask another validator.'),
  SERVICE_QUOTA_EXCEEDED: entry(-32059, 'The sponsor has as many services as it may.', false, "Use an account of another validator's."),

  // Admission: what this transaction will never pass.
  DUPLICATE: entry(-32060, 'The transaction is decided already.', false, 'tx_get says where and how.'),
  EXPIRED: entry(-32061, 'The time up to which the transaction is valid has passed.', false, SIGN_ANEW),
  TOO_FAR_AHEAD: entry(-32062, 'The transaction would be valid for longer than the network allows.', false, CHANGE_TRANSACTION),
  SIGNATURE_INVALID: entry(
    -32063,
    'The signature does not fit the transaction and its account.',
    false,
    "Sign the transaction's id with the account's current key, context nacre/1/transaction.",
  ),
  SIGNATURE_LENGTH: entry(
    -32064,
    "The signature has not the length of the network's scheme.",
    false,
    'Use the scheme that the genesis names.',
  ),
  MALFORMED: entry(
    -32065,
    'The bytes are not a transaction in its canonical encoding.',
    false,
    'Encode it with the SDK, or as packages/ledger describes.',
  ),
  TEXT_INVALID: entry(-32066, 'A text in the transaction is not UTF-8.', false, CHANGE_TRANSACTION),
  WRONG_NETWORK: entry(-32067, 'The transaction is for another network.', false, "Sign it with this network's genesis."),
  WRONG_CHAIN: entry(-32068, 'The transaction is for another chain.', false, 'Send it to a node of that chain, or sign it for this one.'),
  TRANSACTION_TOO_LARGE: entry(-32069, 'The transaction is too large.', false, CHANGE_TRANSACTION),
  OPERATIONS_NONE: entry(-32070, 'The transaction has no operations.', false, CHANGE_TRANSACTION),
  OPERATIONS_TOO_MANY: entry(-32071, 'The transaction has too many operations.', false, CHANGE_TRANSACTION),
  RECORDS_NONE: entry(-32072, 'An append has no records.', false, CHANGE_TRANSACTION),
  RECORDS_TOO_MANY: entry(-32073, 'The transaction has too many records.', false, CHANGE_TRANSACTION),
  RECORD_TOO_LARGE: entry(-32074, "A record's payload is too large.", false, CHANGE_TRANSACTION),
  KEY_TOO_LONG: entry(-32075, "A record's key is too long.", false, CHANGE_TRANSACTION),
  PAYLOAD_NOT_CANONICAL: entry(
    -32076,
    'A JSON payload is not in its canonical form.',
    false,
    'Write it as RFC 8785 says; the SDK and record_submit do.',
  ),
  MEDIA_TYPE_INVALID: entry(-32077, 'A media type is malformed.', false, CHANGE_TRANSACTION),
  NAME_INVALID: entry(
    -32078,
    'A name is malformed.',
    false,
    'Names are up to 64 lower-case letters, digits and . _ / -, and begin and end with a letter or digit.',
  ),
  SCHEMA_VERSION_INVALID: entry(-32079, 'Schema versions count from 1.', false, CHANGE_TRANSACTION),
  SCHEMAS_NONE: entry(-32080, 'The service lists no schema.', false, CHANGE_TRANSACTION),
  SCHEMAS_TOO_MANY: entry(-32081, 'The service lists too many schemas.', false, CHANGE_TRANSACTION),
  SCHEMAS_UNORDERED: entry(-32082, 'The schemas are not in order, or one stands twice.', false, 'Order them by name, then version.'),
  OWNERS_NONE: entry(-32083, 'The service has no owner.', false, CHANGE_TRANSACTION),
  OWNERS_TOO_MANY: entry(-32084, 'The service has too many owners.', false, CHANGE_TRANSACTION),
  OWNERS_UNORDERED: entry(-32085, 'The owners are not in order, or one stands twice.', false, 'Order the addresses by their bytes.'),
  WRITERS_TOO_MANY: entry(-32086, 'The service has too many writers.', false, CHANGE_TRANSACTION),
  WRITERS_UNORDERED: entry(-32087, 'The writers are not in order, or one stands twice.', false, 'Order the addresses by their bytes.'),
  PUBLIC_KEY_LENGTH: entry(
    -32088,
    "The public key has not the length of the network's scheme.",
    false,
    'Use the scheme that the genesis names.',
  ),
  WEIGHT_INVALID: entry(-32091, 'A weight is no integer from 1 to 2^50.', false, CHANGE_TRANSACTION),
  PARAMETER_UNKNOWN: entry(-32092, 'The network has no such parameter.', false, 'The genesis file names all of them.'),
  EVIDENCE_AHEAD: entry(-32093, 'The evidence is of a height that is not decided here.', true, 'Try again after that height.'),
  EVIDENCE_VALIDATOR: entry(-32094, 'No committee of that height has the validator.', false, CHANGE_TRANSACTION),
  KEY_RETIRED: entry(-32089, 'The key has been replaced.', false, "Sign it anew with the account's current key."),
  KEY_UNKNOWN: entry(
    -32090,
    'The account has no such key.',
    true,
    "Sign with the account's current key; a new one counts from the block after the one that decided it.",
  ),
} as const satisfies Readonly<Record<string, ErrorEntry>>;

export type RpcErrorCode = keyof typeof RPC_ERRORS;

/** What a JSON-RPC answer carries in `error`. */
export interface RpcErrorObject {
  readonly code: number;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>> & { readonly code: string; readonly retryable: boolean; readonly hint: string };
}

/** An answer that is an error. Not a failure of the node, except for `INTERNAL_ERROR`. */
export class RpcError extends NacreError<RpcErrorCode> {
  override readonly name = 'RpcError';

  constructor(code: RpcErrorCode, fields: Readonly<Record<string, unknown>> = {}) {
    super(code, RPC_ERRORS[code].message, { fields, hint: RPC_ERRORS[code].hint });
  }

  /** What a part of the node refuses, in the words of the RPC. */
  static fromRefusal({ code, ...fields }: Refusal): RpcError {
    return Object.hasOwn(RPC_ERRORS, code)
      ? new RpcError(code as RpcErrorCode, fields)
      : new RpcError('REFUSED', { ...fields, reason: code });
  }

  toObject(): RpcErrorObject {
    const { number, message, retryable, hint } = RPC_ERRORS[this.code];
    const fields = Object.fromEntries(Object.entries(this.fields).map(([name, value]) => [name, presentable(name, value)]));
    return { code: number, message, data: { ...fields, code: this.code, retryable, hint } };
  }
}

/** Fields that hold an address, as bytes or in hex; all other bytes are shown in hex. */
const ADDRESS_FIELDS: readonly string[] = ['account', 'address', 'sponsor'];

function presentable(name: string, value: unknown): unknown {
  const bytes = ADDRESS_FIELDS.includes(name) && typeof value === 'string' ? fromHex(value) : value;
  if (!(bytes instanceof Uint8Array)) return value;
  return ADDRESS_FIELDS.includes(name) && bytes.length === HASH_BYTES ? formatAddress(bytes) : toHex(bytes);
}
