export { LOCAL_CONFIGURATION, type ReplicaConfiguration } from './configuration.ts';
export { prepareValidatorHome, Replica } from './replica.ts';
export type { ReplicaDependencies, ReplicaOptions, ReplicaStatus, ValidatorIdentity } from './replica-types.ts';
export { type OwnHistory, restoreOwnMessages } from './restore.ts';
export { SIGNER_REFUSALS, type SignerRefusal, type SignerRefusalCode } from './signer-refusal.ts';
export { SigningDesk } from './signing-desk.ts';
export type { Admission, SubmissionStatus } from './transaction-desk.ts';
export { type KeyFiles, ValidatorKeys } from './validator-keys.ts';
export * from './wire.ts';
