/** The bounds of the client. Each says its unit and what happens at it. */

/** Attempts at one call, over all nodes. Beyond: the last error is thrown. */
export const CALL_ATTEMPTS_MAX = 6;
/** A whole call with its retries, in ms, besides the time that the node itself was asked to wait. Beyond: no further attempt. */
export const CALL_TIMEOUT_MS = 30_000;
/** One attempt, in ms, besides the time that the node itself was asked to wait. Beyond: another node is asked. */
export const ATTEMPT_TIMEOUT_MS = 10_000;
/** One answer in bytes: four times what nodes send, for escapes and base64. Beyond: `NETWORK_ANSWER_MALFORMED`. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** How long a node that failed is left alone, in ms; doubles with each failure in a row up to the second. */
export const BACKOFF_MS = 100;
export const BACKOFF_MS_MAX = 5_000;
/** Nodes of one client. Beyond: `URL_INVALID`. */
export const NODES_MAX = 64;

/** First and longest pause between two looks at a transaction's status, in ms. */
export const STATUS_POLL_MS = 50;
export const STATUS_POLL_MS_MAX = 1_000;
/** How long `waitFor` waits unless told otherwise, in ms. */
export const FINAL_TIMEOUT_MS = 60_000;
/** How long an operation that this client signs stays valid, in ms; nodes refuse more than the genesis' window. */
export const VALID_FOR_MS = 120_000;

/** Signatures found valid that a client remembers: proofs of one block carry the same certificate. Beyond: verified again. */
export const VERIFIED_SIGNATURES_MAX = 1_024;
/**
 * How old a checkpoint may be, in ms, unless told otherwise. Longer: former validators have more time to lose, or sell, the keys that could sign
 * another history. Beyond: `CHECKPOINT_EXPIRED`.
 */
export const TRUST_PERIOD_MS = 14 * 24 * 3_600_000;

/** Events that wait for a reader. Beyond: the connection is closed and opened again, from the last one on, when they are read. */
export const EVENTS_QUEUED_MAX = 1_000;
/** Characters of the events that wait for a reader. Beyond: as above. */
export const EVENT_CHARACTERS_QUEUED_MAX = 16 * 1024 * 1024;
/** A WebSocket on which nothing was heard for this long, in ms, is asked; after as long again it is given up. */
export const SOCKET_SILENCE_MS = 20_000;
/** How long a subscription looks for a node before it gives up, in ms. */
export const RECONNECT_MS = 600_000;

/** Items that an outbox keeps. Beyond: `OUTBOX_FULL`, nothing is kept of the new one. */
export const OUTBOX_ITEMS_MAX = 10_000;
/** Bytes of the transactions that an outbox keeps, in memory too. Beyond: as above. */
export const OUTBOX_BYTES_MAX = 64 * 1024 * 1024;
/** Characters of an item's id. Beyond: `OUTBOX_ID_INVALID`. */
export const OUTBOX_ID_LENGTH_MAX = 128;
/** Items being sent, each waiting for its decision. Beyond: they wait their turn, first come, first served. */
export const OUTBOX_SENDING_MAX = 64;
/** First and longest pause before an item is sent again, in ms; doubles unless there was progress. */
export const OUTBOX_RETRY_MS = 100;
export const OUTBOX_RETRY_MS_MAX = 10_000;
/** One file of an outbox, in bytes: a transaction of 2 MiB in base64 with room. Beyond: `OUTBOX_DAMAGED`. */
export const OUTBOX_FILE_BYTES_MAX = 4 * 1024 * 1024;
