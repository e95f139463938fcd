/** Why a connection was not admitted, or ended by a rule. */
export const REFUSALS = [
  'WRONG_GENESIS',
  'WRONG_VERSION',
  'BAD_PROOF',
  'NOT_ALLOWED',
  'BLOCKED',
  'BANNED',
  'TOO_MANY',
  'TIMEOUT',
  'MALFORMED',
  'CLOSED',
  'DUPLICATE',
  'INSECURE',
] as const;
export type RefusalReason = (typeof REFUSALS)[number];

/** Why an admitted connection ended. */
export type Disconnection =
  | 'CLOSED'
  | 'SLOW_READER'
  | 'SILENT'
  | 'MALFORMED'
  | 'BANNED'
  | 'BLOCKED'
  | 'DUPLICATE'
  | 'MEMBERSHIP_CHANGED'
  | 'STOPPED';

/** Totals since the transport was made; they only grow. */
export interface NetworkCounters {
  /** Connections refused before they could say anything that counts, by reason, in both directions. */
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>;
  /** Admitted connections that ended, by reason. */
  readonly disconnected: Readonly<Partial<Record<Disconnection, number>>>;
  readonly admitted: number;
  readonly dials: number;
  readonly dialFailures: number;
  readonly framesIn: number;
  readonly framesOut: number;
  /** Frames that left a full queue unsent. */
  readonly framesDropped: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Requests of others that got an answer, and that got none by a bound or a rule. */
  readonly requestsAnswered: number;
  readonly requestsRefused: number;
  /** Our own requests. */
  readonly requestsAsked: number;
  readonly requestsFailed: number;
  readonly offences: number;
  readonly bans: number;
  /** Times a lane was not read for a while because its peer sent too fast. */
  readonly throttled: number;
  readonly gossipPublished: number;
  readonly gossipDelivered: number;
  readonly gossipRejected: number;
}

type Count = { -readonly [Name in keyof NetworkCounters as NetworkCounters[Name] extends number ? Name : never]: number };

export class Counters {
  readonly count: Count = {
    admitted: 0,
    dials: 0,
    dialFailures: 0,
    framesIn: 0,
    framesOut: 0,
    framesDropped: 0,
    bytesIn: 0,
    bytesOut: 0,
    requestsAnswered: 0,
    requestsRefused: 0,
    requestsAsked: 0,
    requestsFailed: 0,
    offences: 0,
    bans: 0,
    throttled: 0,
    gossipPublished: 0,
    gossipDelivered: 0,
    gossipRejected: 0,
  };
  readonly #refused: Partial<Record<RefusalReason, number>> = {};
  readonly #disconnected: Partial<Record<Disconnection, number>> = {};

  refuse(reason: RefusalReason): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
  }

  disconnect(reason: Disconnection): void {
    this.#disconnected[reason] = (this.#disconnected[reason] ?? 0) + 1;
  }

  read(): NetworkCounters {
    return { ...this.count, refused: { ...this.#refused }, disconnected: { ...this.#disconnected } };
  }
}
