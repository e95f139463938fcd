export { type Address, type Hash, NacreError } from '@nacre/base';
export {
  type Checkpoint,
  checkpointFields,
  formatCheckpoint,
  type Genesis,
  type Operation,
  type ProofTrust,
  type Proven,
  type ServiceRecord,
  type TrustPeriod,
} from '@nacre/ledger';
export { type AccountKey, createAccountKey, loadSeed } from './account-key.ts';
export type {
  BlockAnswer,
  HealthAnswer,
  LatestAnswer,
  RecordAnswer,
  StatusAnswer,
  SubmissionAnswer,
  Topic,
  TopicData,
  TransactionAnswer,
  ValidatorsAnswer,
} from './answers.ts';
export * from './client.ts';
export * from './client-error.ts';
export type { DataSchema } from './data-schema.ts';
export { type LightOptions, readCheckpoint } from './light-client.ts';
export { Outbox, type OutboxDependencies, type OutboxOptions } from './outbox.ts';
export type { OutboxItem, OutboxOutcome } from './outbox-entry.ts';
export type { OutboxStore, StoredItem } from './outbox-store.ts';
export { readGenesis } from './read-genesis.ts';
export * from './service-to-consensus-connector.ts';
export type { SubscribeRequest, Subscription } from './subscription.ts';
export type { SubscriptionEvent } from './subscription-socket.ts';
export type { FinalAnswer } from './transaction-ending.ts';
export { type ProofQuestion, verifyRecordProof } from './verify-record-proof.ts';
