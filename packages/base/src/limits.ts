/**
 * Every hard bound of this program that does not decide the validity of a block (those are genesis parameters).
 * Each says its unit and what happens at it.
 */

/** Largest frame a peer may send, in bytes. Beyond: the frame is refused unread and the peer's score pays. */
export const FRAME_BYTES_MAX = 4 * 1024 * 1024;
/** Validators of one committee. Beyond: the genesis is refused. Protocol section 1: chain 0 is capped at 100. */
export const COMMITTEE_SIZE_MAX = 100;
/** Largest sum of a committee's weights, so that 3 * weight stays exact in a double. Beyond: refused. */
export const TOTAL_WEIGHT_MAX = 2 ** 50;
/** Committees of past epochs kept ready for checking signatures, up to 150 KB each. Beyond: the one longest unused is read anew. */
export const COMMITTEES_CACHED_MAX = 64;
/**
 * Proposals that are open or wait for their epoch: 32 open ones of each of 100 validators, and a decided one for each validator and
 * parameter. More cannot be.
 */
export const PROPOSALS_MAX = 4096;
/** Rounds ahead of ours for which votes are kept, per height. Beyond: only the sender's claim of the round is kept. */
export const FUTURE_ROUNDS_MAX = 8;
/**
 * Rounds behind ours for which votes are kept, per height, beside those that a lock or a proposal names. Beyond: dropped. No
 * progress depends on them, since what an old round could still decide is locked and proposed again.
 */
export const PAST_ROUNDS_MAX = 8;
/** Blocks whose validity the consensus core remembers per height. Beyond: the oldest is forgotten and asked for again if named. */
export const BLOCK_VERDICTS_MAX = 64;
/** Votes sent to one peer in answer to one round state. Beyond: left for its next round state. */
export const VOTES_PER_REPAIR_MAX = 256;
/** Late commits of earlier heights that a proposer puts into one block. Beyond: left for the next, the oldest heights first. */
export const LATE_COMMITS_MAX = 128;
/** Largest round of a height, well inside its 32-bit field. Votes beyond are refused as malformed. */
export const ROUND_MAX = 1_000_000;
/** ML-DSA-87 public key in bytes, the largest of the three. FIPS 204, Table 2. */
export const PUBLIC_KEY_BYTES_MAX = 2592;
/** ML-DSA-87 signature in bytes, the largest of the three. FIPS 204, Table 2. */
export const SIGNATURE_BYTES_MAX = 4627;
/** Messages in one entry of the vote journal: what one step of the core signs. Beyond: an assertion, the caller is wrong. */
export const JOURNAL_ENTRY_MESSAGES_MAX = 16;
/** One signed message in the vote journal, in bytes: an ML-DSA-87 signature and its contents. Beyond: an assertion. */
export const JOURNAL_MESSAGE_BYTES_MAX = 8 * 1024;
/** Size in bytes from which the vote journal asks to be rotated. Lower: more rewriting. Higher: a slower start. */
export const JOURNAL_ROTATION_BYTES = 4 * 1024 * 1024;
/** Largest vote journal in bytes: hundreds to thousands of rounds at one height. Beyond: `JOURNAL_FULL`, the validator falls silent. */
export const JOURNAL_BYTES_MAX = 64 * 1024 * 1024;
/** Files that one directory keeps open for appending. Beyond: an assertion, a validator has one journal per chain. */
export const DIRECTORY_FILES_MAX = 64;
/** Largest file read whole from a directory, in bytes: above every journal. Beyond: `DIRECTORY_FAILED`. */
export const DIRECTORY_FILE_BYTES_MAX = 2 * JOURNAL_BYTES_MAX;
/** Latest blocks that pruning leaves in any case: commits may still be credited to them, and a peer that is a little behind asks for them. */
export const BLOCKS_KEPT_MIN = 128;
/** Records that one query of the ledger returns. Beyond: the query is an assertion, callers clamp. */
export const RECORDS_PAGE_MAX = 1000;
/** Payload bytes after which a query of records ends early, with at least one record. */
export const RECORDS_PAGE_BYTES_MAX = 4 * 1024 * 1024;
/**
 * Pages of the state tree in memory, about 1 KB each: all of a tree of 800,000 keys, or the upper four levels of any and what was used last.
 * Beyond: reread from the store.
 */
export const STATE_PAGES_CACHED_MAX = 65_536;
/** Encoded bytes of the state's values that are kept decoded: thousands of accounts. Beyond: what was not read lately is decoded anew. */
export const STATE_VALUES_CACHED_BYTES = 16 * 1024 * 1024;
/** Record logs whose peaks are kept ready, 2 KB each at most. Beyond: of one that was not appended to lately they are read from its tiles. */
export const LOG_PEAKS_CACHED_MAX = 1024;
/** Pending transactions that a proposer looks at per transaction that a block may hold. Beyond: the block stays as full as it is. */
export const PROPOSE_EXAMINED_FACTOR = 4;
/** Partitions that a node remembers, a few KB each at worst. Beyond: the oldest is forgotten. */
export const PARTITIONS_REMEMBERED_MAX = 64;
/** Attempts to prove something against a tip that moves meanwhile. Beyond: `PROOF_BUSY`, the same call may succeed later. */
export const PROVE_ATTEMPTS_MAX = 8;
/**
 * LevelDB's cache of table blocks, in bytes; the oldest leave it. With 400,000 keys of 100 bytes a random read took 48 µs
 * at LevelDB's own 8 MiB and 7 to 10 µs at this.
 */
export const STORE_CACHE_BYTES = 64 * 1024 * 1024;
/** What LevelDB gathers in memory before it writes a table, in bytes, up to twice. Lower: more stalls by compaction. */
export const STORE_WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
/**
 * Bytes of deferrable writes that are gathered before they go to the store as one. Higher: fewer writes, but other events wait longer meanwhile,
 * and more is fetched again after a crash.
 */
export const STORE_WRITE_BEHIND_BYTES = 512 * 1024;

/** Bytes of state after which a part of a snapshot is divided, unless it is one page of the tree. Higher: fewer requests, more to fetch again. */
export const SNAPSHOT_PART_BYTES = 256 * 1024;
/** Longest value of the state that stands among others in a part of a snapshot, in bytes; so a page of 32 has 512 KiB. Beyond: a part of its own. */
export const SNAPSHOT_INLINE_BYTES_MAX = 16 * 1024;
/** Parts of one kind that a snapshot may count, so that no list of them outgrows memory. Beyond: malformed. */
export const SNAPSHOT_PARTS_MAX = 1 << 20;

/** Transactions whose final status clients wait for at once, over the whole node. Beyond: `TOO_MANY_WAITS`, before anything is admitted. */
export const FINAL_STATUS_WAITS_MAX = 4096;
/** Decided blocks whose event is kept in memory, about 100 bytes per transaction. Older ones are read from the store. */
export const RECENT_BLOCKS_MAX = 64;
/** Events of a node's health that are kept for readers, about 1 KB each at most. Beyond: the oldest is forgotten. */
export const HEALTH_EVENTS_MAX = 1_000;
/** Request ids of `record_submit` kept, about 250 bytes each on disk. Beyond: `REQUEST_IDS_FULL` until the oldest are seven days old. */
export const REQUEST_IDS_MAX = 1_000_000;
/** How long a request id is kept at least, in ms. Protocol section 3. */
export const REQUEST_ID_KEEP_MS = 7 * 24 * 3600 * 1000;
/** Characters of a request id. Beyond: `INVALID_PARAMS`. */
export const REQUEST_ID_LENGTH_MAX = 128;

/** Body of an RPC request, or a message on its WebSocket, in bytes; a transaction of 2 MiB in base64 fits. Beyond: `BODY_TOO_LARGE`. */
export const RPC_BODY_BYTES_MAX = 4 * 1024 * 1024;
/** Calls in one batch. Beyond: `BATCH_TOO_LARGE`, none is carried out. */
export const RPC_BATCH_CALLS_MAX = 100;
/** Bytes of the answers to one batch, beside the answer that passes it. Beyond: `ANSWER_TOO_LARGE` for each further call. */
export const RPC_BATCH_ANSWER_BYTES_MAX = 8 * 1024 * 1024;
/** Calls per second from one IP address (IPv6: one /64). Beyond: `RATE_LIMITED` until the second is over. */
export const RPC_ADDRESS_CALLS_PER_SECOND_MAX = 10_000;
/** IP addresses whose calls are counted at once; the one longest unseen is forgotten. */
export const RPC_ADDRESSES_MAX = 10_000;
/** Calls per second on one WebSocket. Beyond: `RATE_LIMITED` until the second is over. */
export const RPC_SOCKET_CALLS_PER_SECOND_MAX = 5_000;
/** TCP connections to the RPC. Beyond: closed as they come. */
export const RPC_CONNECTIONS_MAX = 2_000;
/** Open WebSockets, over all and from one IP address. Beyond: `TOO_MANY_SOCKETS`. */
export const RPC_SOCKETS_MAX = 256;
export const RPC_SOCKETS_PER_ADDRESS_MAX = 128;
/** Messages of one WebSocket being answered at once. Beyond: nothing more is read from it. */
export const RPC_SOCKET_MESSAGES_MAX = 256;
/** Bytes waiting to be sent on one WebSocket. Beyond: nothing more is read from it, and events wait. */
export const RPC_SOCKET_BUFFER_BYTES = 1024 * 1024;
/** Subscriptions of one WebSocket. Beyond: `TOO_MANY_SUBSCRIPTIONS`. */
export const RPC_SUBSCRIPTIONS_MAX = 16;
/** Events that a subscription may fall further behind than it was at its best. Beyond: it goes on with the newest, and says what it missed. */
export const RPC_SUBSCRIPTION_LAG_MAX = 1_000;
/** Events of one subscription read and sent before the next one's turn. */
export const RPC_EVENTS_PER_TURN = 16;
/** A WebSocket that answers no ping for this long, in ms, is closed. */
export const RPC_PING_INTERVAL_MS = 30_000;
/** Time in ms for a request's headers and body to arrive. Beyond: 408, and the connection ends. */
export const RPC_REQUEST_TIMEOUT_MS = 30_000;
/** Longest wait for a final status, in ms. Beyond: `INVALID_PARAMS`. */
export const RPC_WAIT_TIMEOUT_MS_MAX = 60_000;

/** Largest frame between a node and its signer, in bytes: a page of remembered messages fits. Beyond: the connection ends. */
export const SIGNER_FRAME_BYTES_MAX = 512 * 1024;
/** Remembered messages in one answer of a signer, at most `JOURNAL_MESSAGE_BYTES_MAX` each. The next are asked for. */
export const SIGNER_RECALL_MESSAGES_MAX = 32;
/** What a signer is asked to sign, or what is hashed for it, in bytes. Beyond: `SIGNER_REFUSED`. */
export const SIGNER_MESSAGE_BYTES_MAX = 64 * 1024;
/** Messages beside those of consensus that wait for a signer. Beyond: `SIGNER_AWAY`. */
export const SIGNER_WAITING_MAX = 256;
/** Connections to a signer that have not been greeted yet. Beyond: closed as they come. */
export const SIGNER_CONNECTIONS_MAX = 8;
/** Heights below the latest one that a signer goes on remembering when its journal is rotated; it signs nothing below them. */
export const SIGNER_HEIGHTS_KEPT = 64;
