export { keyIdOf, POSSESSION_CONTEXT, possessionMessage } from './account-keys.ts';
export { advanceCheckpoint } from './advance-checkpoint.ts';
export { BLOCK_BYTES_MAX, Block, decodeBlock, encodeBlock, type LateCommit, transactionsRoot } from './block.ts';
export type { BlockEffects, FailureCode, FailureReason, Outcome } from './block-effects.ts';
export { buildTransaction, type TransactionRequest } from './build-transaction.ts';
export { canonicalJson, JSON_MEDIA_TYPE } from './canonical-json.ts';
export { type Checkpoint, checkpointFields, genesisCheckpoint } from './checkpoint.ts';
export { formatCheckpoint, parseCheckpoint } from './checkpoint-file.ts';
export type { EpochInfo } from './epoch-info.ts';
export { LedgerError, type LedgerErrorCode } from './errors.ts';
export { formatGenesis, type Genesis, type GenesisValidator } from './genesis.ts';
export { proposalId } from './govern.ts';
export { blockHash, changesCommittee, decodeHeader, encodeHeader, HEADER_BYTES_MAX, type Header, type LateCommitters } from './header.ts';
export {
  blockOperation,
  bodyKey,
  bodyOperation,
  expiredKey,
  pendingKey,
  pendingRange,
  requestKey,
  requestName,
  requestNameOf,
  requestsBefore,
  requestTimeKey,
} from './keys.ts';
export { Ledger } from './ledger.ts';
export * from './ledger-types.ts';
export { LIGHT_UPDATE_BYTES_MAX, lightUpdateCodec } from './light-update.ts';
export type { EncodedLightUpdate } from './make-proof.ts';
export { isMediaType, isName } from './names.ts';
export * from './operation.ts';
export { OPERATION_KINDS } from './operation-wire.ts';
export {
  type ChainParameters,
  chainParameters,
  PARAMETER_NAMES,
  PARAMETER_RULES,
  type ParameterName,
  type ParameterRule,
  PROTOCOL_VERSION_MAX,
} from './parameters.ts';
export { createGenesis, type NewGenesis, parseGenesis } from './parse-genesis.ts';
export { PROOF_BYTES_MAX } from './proof.ts';
export { PRUNED_RANGES, type Pruning, prunableBlocks, pruneOperations, type Retention } from './prune.ts';
export type { ServiceRecord } from './record.ts';
export type { RecordPage } from './record-store.ts';
export { differenceOf, type ReplayProblem, replay } from './replay.ts';
export { type Salvaged, salvage } from './salvage.ts';
export { type ScrubStep, scrub } from './scrub.ts';
export type * from './set-change.ts';
export type { Member, Offence, OffenceKind, OffencePlace, Performance, Proposal, Registry, Verdict } from './set-kinds.ts';
export type { SnapshotAnchor, SnapshotIntake } from './snapshot-intake.ts';
export {
  idsPartCodec,
  isPartName,
  PART_NAME_BYTES_MAX,
  type PartName,
  SNAPSHOT_PART_BYTES_MAX,
  type SnapshotManifest,
  snapshotManifestCodec,
  statePartCodec,
} from './snapshot-part.ts';
export { Snapshots } from './snapshots.ts';
export type { Account, Participation, RecordLog, Recovery, Service } from './state-kinds.ts';
export { type Damage, damageOf, storeDamage } from './store-damage.ts';
export { takeSnapshot } from './take-snapshot.ts';
export { decodeContents, decodeTransaction, TRANSACTION_CONTEXT, type Transaction, type TransactionContents } from './transaction.ts';
export type { TrustPeriod } from './trust-period.ts';
export { type DryRun, type FaultTolerance, faultTolerance, type ValidatorSet } from './validator-set.ts';
export { type ProofTrust, type Proven, type ProvenClaim, verifyProof } from './verify-proof.ts';
export * from './vote-journal.ts';
export type { Doubt, DoubtCode } from './vote-journal-doubt.ts';
export type { JournalEntry, SignedMessage } from './vote-journal-entry.ts';
export * from './vote-journal-error.ts';
export { NONCE_BYTES } from './wire.ts';
export { WriteBehindStore } from './write-behind-store.ts';
