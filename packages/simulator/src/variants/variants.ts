import type { ScenarioName } from '../scenarios/scenarios.ts';

/** The program with one line changed so that one rule does not hold. */
export interface Variant {
  readonly name: string;
  /** What the change breaks. */
  readonly breaks: string;
  /** From the repository on. */
  readonly file: string;
  /** Occurs once in the file; `wrong` takes its place. */
  readonly right: string;
  readonly wrong: string;
  /** The scenario that it has to be caught in, and within how many seeds. */
  readonly scenario: ScenarioName;
  readonly seedsMax: number;
  /** Validators of each run; drawn if left out. */
  readonly validators?: number;
}

const CONSENSUS = 'packages/consensus/src';
const LEDGER = 'packages/ledger/src';
const REPLICA = 'packages/replica/src';

/** What the scenarios have to catch: a simulator that cannot fail proves nothing. */
export const VARIANTS: readonly Variant[] = [
  {
    name: 'quorum-at-half',
    breaks: 'more than half of the weight decides',
    file: `${CONSENSUS}/committee.ts`,
    right: 'return 3 * weight > 2 * this.totalWeight;',
    wrong: 'return 2 * weight > this.totalWeight;',
    scenario: 'byzantine-twins',
    seedsMax: 50,
  },
  {
    name: 'quorum-at-two-thirds',
    breaks: 'two thirds of the weight decide, and not only more',
    file: `${CONSENSUS}/committee.ts`,
    right: 'return 3 * weight > 2 * this.totalWeight;',
    wrong: 'return 3 * weight >= 2 * this.totalWeight;',
    scenario: 'partitions',
    seedsMax: 50,
    validators: 6,
  },
  {
    name: 'quorum-by-count',
    breaks: 'validators are counted, not their weight',
    file: `${CONSENSUS}/committee.ts`,
    right: 'return weight;',
    wrong: 'return this.totalWeight / this.size;',
    scenario: 'partitions',
    seedsMax: 50,
  },
  {
    name: 'lock-ignored',
    breaks: 'a validator prepares another block than the one that it has committed to',
    file: `${CONSENSUS}/core.ts`,
    right: 'if (lock === null || lock.lockedHash === null) return true;',
    wrong: 'if (lock === null || lock !== undefined) return true;',
    scenario: 'loss',
    seedsMax: 50,
  },
  {
    name: 'lock-not-journaled',
    breaks: 'a restart forgets the lock',
    file: `${REPLICA}/height-driver.ts`,
    right: 'lock: ready.lock,',
    wrong: 'lock: null,',
    scenario: 'everything',
    seedsMax: 50,
  },
  {
    name: 'unlock-without-proof',
    breaks: 'a re-proposal is believed without the prepares that justify it',
    file: `${CONSENSUS}/core.ts`,
    right: "if (validRound >= 0 && !justification.isQuorum) return 'wait';",
    wrong: '',
    scenario: 'byzantine-unlocking',
    seedsMax: 50,
  },
  {
    name: 'repeated-signer',
    breaks: 'one validator counts as often as it signs',
    file: `${CONSENSUS}/vote-set.ts`,
    right: 'if (this.has(vote.validator)) return;',
    wrong: '',
    scenario: 'byzantine-unlocking',
    seedsMax: 50,
  },
  {
    name: 'wrong-round-jump',
    breaks: 'one validator that claims a later round takes everybody there',
    file: `${CONSENSUS}/round-claims.ts`,
    right: 'if (this.#committee.exceedsThird(weight)) return this.#rounds[validator] as number;',
    wrong: 'if (weight > 0) return this.#rounds[validator] as number;',
    scenario: 'byzantine-flooder',
    seedsMax: 50,
  },
  {
    name: 'certificate-unverified',
    breaks: 'the signatures of a certificate are not looked at',
    file: `${CONSENSUS}/certificate.ts`,
    right: 'if (bad >= 0)',
    wrong: 'if (bad >= commits.length)',
    scenario: 'byzantine-forged-certificates',
    seedsMax: 50,
  },
  {
    name: 'certificate-too-light',
    breaks: 'a certificate of any weight decides',
    file: `${CONSENSUS}/certificate.ts`,
    right: `  if (!committee.isQuorum(weight)) {
    return fail`,
    wrong: `  if (weight === 0) {
    return fail`,
    scenario: 'byzantine-forged-certificates',
    seedsMax: 50,
  },
  {
    name: 'vote-unverified',
    breaks: 'the signature of a vote is not looked at',
    file: `${REPLICA}/height-driver.ts`,
    right: "if (!valid) return this.#penalize(view, { code: 'VOTE_SIGNATURE'",
    wrong: "if (valid === null) return this.#penalize(view, { code: 'VOTE_SIGNATURE'",
    scenario: 'byzantine-replays',
    seedsMax: 50,
  },
  {
    name: 'cache-without-signature',
    breaks: 'a false signature passes where a true one over the same contents was seen',
    file: 'packages/crypto/src/caching-verifier.ts',
    right: 'publicKey, domain, message, signature));',
    wrong: 'publicKey, domain, message));',
    scenario: 'byzantine-forged-certificates',
    seedsMax: 50,
  },
  {
    name: 'sent-before-durable',
    breaks: 'votes leave before the journal is synced',
    file: `${LEDGER}/vote-journal.ts`,
    right: 'await this.#directory.sync(JOURNAL_FILE);',
    wrong: '',
    scenario: 'crashes',
    seedsMax: 50,
  },
  {
    name: 'block-unsynced',
    breaks: 'a block that votes name is stored and not synced',
    file: `${LEDGER}/ledger.ts`,
    right: 'saveOperations(block, transactions, isStored), { sync: true });',
    wrong: 'saveOperations(block, transactions, isStored), { sync: false });',
    scenario: 'blackouts',
    seedsMax: 50,
  },
  {
    name: 'journal-not-replayed',
    breaks: 'a restart forgets what was signed',
    file: `${REPLICA}/height-driver.ts`,
    right: 'context.identity === null ? null : restoreOwnMessages(context.identity.journal, this.height, this.#self);',
    wrong: 'context.identity === null ? null : null;',
    scenario: 'crashes',
    seedsMax: 50,
  },
  {
    name: 'mute-rule-skipped',
    breaks: 'a validator whose journal is in doubt votes',
    file: `${REPLICA}/replica.ts`,
    right: 'if (this.#journal.doubt !== null || height <= this.#journal.floorHeight ||',
    wrong: 'if (height <= this.#journal.floorHeight ||',
    scenario: 'damage',
    seedsMax: 50,
  },
  {
    name: 'parent-unchecked',
    breaks: 'a block may name any parent',
    file: `${LEDGER}/header-rules.ts`,
    right: 'if (!bytesEqual(header.parentHash, expected.parentHash))',
    wrong: 'if (header.parentHash.length === 0)',
    scenario: 'byzantine-invalid-blocks',
    seedsMax: 50,
  },
  {
    name: 'time-unchecked',
    breaks: 'a block may have any time after its parent',
    file: `${CONSENSUS}/core.ts`,
    right: 'return timeMs >= oldestMs && timeMs <= arrivalMs + precisionMs;',
    wrong: 'return timeMs >= oldestMs || timeMs <= arrivalMs + precisionMs;',
    scenario: 'byzantine-invalid-blocks',
    seedsMax: 50,
  },
  {
    name: 'expiry-ignored',
    breaks: 'a block may hold what is past its time',
    file: `${LEDGER}/block-execution.ts`,
    right: 'if (validUntilMs < timeMs)',
    wrong: 'if (validUntilMs < 0)',
    scenario: 'loss',
    seedsMax: 50,
  },
  {
    name: 'transaction-replayed',
    breaks: 'a block may hold what an earlier one holds',
    file: `${LEDGER}/block-execution.ts`,
    right: 'if (this.#included.has(id) || this.#context.isIncluded(txId))',
    wrong: 'if (this.#included.has(id))',
    scenario: 'byzantine-replayed-transactions',
    seedsMax: 50,
  },
  {
    name: 'admission-unsynced',
    breaks: 'a client is told that its transaction is safe before it is',
    file: `${REPLICA}/mempool.ts`,
    right: '...alongside], true);',
    wrong: '...alongside], false);',
    scenario: 'crashes',
    seedsMax: 50,
  },
  {
    name: 'mempool-forgotten',
    breaks: 'a restart forgets what was acknowledged',
    file: `${REPLICA}/replica.ts`,
    right: 'await mempool.restore(clock.nowMs());',
    wrong: '',
    scenario: 'crashes',
    seedsMax: 50,
  },
  {
    name: 'no-repair',
    breaks: 'what was lost on the way is never sent again',
    file: `${REPLICA}/height-driver.ts`,
    right: 'if (votes.length > 0) this.#context.transport.send',
    wrong: 'if (votes.length < 0) this.#context.transport.send',
    scenario: 'loss',
    seedsMax: 50,
  },
];
