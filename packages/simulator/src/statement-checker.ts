import { type Hash, toHex } from '@nacre/base';
import type { Report } from './violation.ts';

/** A vote or a proposal that left a replica. */
export interface Statement {
  /** Position of the key in the committee. */
  readonly validator: number;
  readonly kind: 'proposal' | 'prepare' | 'commit';
  readonly height: number;
  readonly round: number;
  /** Null: for no block. */
  readonly blockHash: Hash | null;
  /** Of proposals; -1 in votes. */
  readonly validRound: number;
}

/** Rounds of a height that are told apart in a place's number; higher ones never come near in a run. */
const ROUNDS = 2 ** 16;
const KIND_NUMBERS = { proposal: 0, prepare: 1, commit: 2 } as const;

/**
 * No key says two different things at one place, over all lives of all its processes. Sees what left a replica, so what
 * was signed and never sent does not count: nobody can hold it against the key.
 */
export class StatementChecker {
  readonly #report: Report;
  readonly #isHonest: (validator: number, height: number) => boolean;
  readonly #said = new Map<number, Map<number, string>>();
  #reProposals = 0;

  /** @param isHonest whether the key at a position of a height's committee is held by one process at a time that follows the rules */
  constructor(report: Report, isHonest: (validator: number, height: number) => boolean = () => true) {
    this.#report = report;
    this.#isHonest = isHonest;
  }

  /** Distinct proposals that named an earlier round in which their block had a quorum of prepares. */
  get reProposals(): number {
    return this.#reProposals;
  }

  see(statement: Statement): void {
    const { validator, kind, height, round } = statement;
    const place = (height * ROUNDS + round) * 3 + KIND_NUMBERS[kind];
    const content = `${statement.blockHash === null ? 'nothing' : toHex(statement.blockHash)} valid ${statement.validRound}`;
    let said = this.#said.get(validator);
    if (said === undefined) {
      said = new Map();
      this.#said.set(validator, said);
    }
    const first = said.get(place);
    if (first === undefined) {
      said.set(place, content);
      if (statement.validRound >= 0) this.#reProposals++;
    } else if (first !== content && this.#isHonest(validator, height)) {
      this.#report('EQUIVOCATION', `validator ${validator} signed two ${kind}s at ${height}/${round}: ${first}, and ${content}`);
    }
  }
}
