/** What a run can show to be wrong. Each is a promise of the protocol, broken. */
export type ViolationCode =
  /** Two blocks were decided at one height, or one block led to two states. */
  | 'AGREEMENT'
  /** A replica's blocks did not come one after another, or a restarted one holds a block that is not the decided one. */
  | 'ORDER'
  /** A decided block breaks a rule, or what is said to decide it does not. */
  | 'VALIDITY'
  /** A transaction entered the chain twice. */
  | 'APPLIED_TWICE'
  /** The committee changed where, when or how it must not. */
  | 'COMMITTEE'
  /** A weight moved by other than what the validator signed, or more than it may by itself. */
  | 'WEIGHT'
  /** A true proof of an offence was refused. */
  | 'OFFENCE'
  /** A validator tells of a partition that there is none of, or does not tell of the one that it is in. */
  | 'REACH'
  /** Two signed messages of one key at one place with different contents left a replica. */
  | 'EQUIVOCATION'
  /** An honest validator committed to what no quorum prepared, or prepared against its commit without a reason. */
  | 'LOCK'
  /** A replica does not know a transaction any more that it had acknowledged. */
  | 'LOST'
  /** Two replicas tell different ends of one transaction, or one that contradicts the chain. */
  | 'STATUS'
  /** A replica's proof does not hold, or proves something else. */
  | 'PROOF'
  /** Replicas with equal blocks tell different records. */
  | 'RECORDS'
  /** The faults have stopped, and yet the replicas do not agree on a height or transactions are not final in time. */
  | 'PROGRESS'
  /** A live replica leaves a call unanswered. */
  | 'UNANSWERED'
  /** A replica told its transport that an honest peer broke a rule. */
  | 'ACCUSED'
  /** A crash put a vote journal in doubt, although every disk kept what it had promised. */
  | 'DOUBT'
  /** An exception or a rejection that nobody handles, a failed assertion included. */
  | 'FAILURE'
  /** Two runs of one seed differ. */
  | 'NONDETERMINISM';

export interface Violation {
  readonly code: ViolationCode;
  /** Virtual time at which it was seen. */
  readonly atMs: number;
  /** For people: who, where, what. */
  readonly detail: string;
}

/** Takes up what checkers find. */
export type Report = (code: ViolationCode, detail: string) => void;
