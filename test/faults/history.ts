/** A record as a node shows it. `name` is what the client wrote: no two writes have the same. */
export interface SeenRecord {
  readonly index: number;
  readonly txId: string;
  readonly height: number;
  readonly key: string | null;
  readonly name: string;
}

/** What a node says of a transaction. */
export type SeenStatus =
  | { readonly status: 'admitted' | 'unknown' }
  | { readonly status: 'committed' | 'failed'; readonly height: number; readonly index: number }
  /** `timeMs` of the block at `height`, which was past the transaction's time. */
  | { readonly status: 'expired'; readonly height: number; readonly timeMs: number };

export type WriteAnswer =
  /** Durable at this node, and perhaps decided. */
  | { readonly kind: 'admitted'; readonly txId: string; readonly validUntilMs: number }
  | { readonly kind: 'committed'; readonly txId: string; readonly validUntilMs: number; readonly height: number; readonly index: number }
  /** Never to be decided, or decided without effect. */
  | { readonly kind: 'failed' | 'expired'; readonly txId: string }
  /** Nothing was taken. */
  | { readonly kind: 'refused'; readonly code: string }
  /** No answer, or one that says neither. It may be there or not. */
  | { readonly kind: 'unknown'; readonly why: string };

interface Common {
  readonly client: number;
  readonly node: number;
  /** Which of the node's stores was asked: it counts how often one was damaged or removed. */
  readonly storeLife: number;
  /** Both of one clock, in ms from the first call on. */
  readonly sentMs: number;
  readonly answeredMs: number;
}

export type WriteCall = Common & {
  readonly kind: 'write';
  readonly service: string;
  readonly key: string;
  readonly name: string;
  readonly answer: WriteAnswer;
};

export type ListCall = Common & {
  readonly kind: 'list';
  readonly service: string;
  readonly fromIndex: number;
  /** Null: not answered. `isWhole`: nothing followed. */
  readonly answer: { readonly records: readonly SeenRecord[]; readonly isWhole: boolean } | null;
};

export type LatestCall = Common & {
  readonly kind: 'latest';
  readonly service: string;
  readonly key: string;
  readonly answer: { readonly record: SeenRecord | null; readonly height: number } | null;
};

export type StatusCall = Common & { readonly kind: 'status'; readonly txId: string; readonly answer: SeenStatus | null };

/** One call of a client, from its sending to its answer or to when the client gave up. */
export type Call = WriteCall | ListCall | LatestCall | StatusCall;

/** What one node tells when everything has come to rest, up to a height that all have reached. */
export interface NodeView {
  readonly node: number;
  /** Of heights 1, 2 and so on. */
  readonly blocks: readonly { readonly hash: string; readonly transactions: readonly string[] }[];
  readonly records: ReadonlyMap<string, readonly SeenRecord[]>;
  /** Of every transaction that a client knows of. */
  readonly statuses: ReadonlyMap<string, SeenStatus>;
  /** Double signatures proven so far. */
  readonly offences: number;
}

/** What a run can show to be wrong. Each is a promise to clients or between nodes, broken. */
export type ViolationCode =
  /** Two nodes have different blocks at one height, or different records at one place. */
  | 'AGREEMENT'
  /** What was acknowledged is not there, and did not end otherwise either. */
  | 'LOST'
  /** One write is there twice. */
  | 'DOUBLED'
  /** A record that nobody wrote, under a key that it was not written with, or that its answer denied. */
  | 'INVENTED'
  /** A write stands before one that had been committed when it was sent. */
  | 'ORDER'
  /** A read showed what is not, or left out what was. */
  | 'READ'
  /** A client saw less at a node than it had seen there before. */
  | 'BACKWARD'
  /** A final status is not true, or did not stay. */
  | 'STATUS'
  /** A committed record has no proof that holds. */
  | 'PROOF'
  /** An honest validator is said to have signed twice. */
  | 'ACCUSED'
  /** A node ended by itself and without a reason. */
  | 'ENDED'
  /** The faults have ended, and yet not everything is decided, equal and answered in time. */
  | 'PROGRESS'
  /** The harness itself failed; the run shows nothing. */
  | 'HARNESS';

export interface Violation {
  readonly code: ViolationCode;
  readonly detail: string;
}

export type Report = (code: ViolationCode, detail: string) => void;
