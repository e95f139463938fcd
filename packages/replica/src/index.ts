export { LOCAL_CONFIGURATION, type ReplicaConfiguration } from './configuration.ts';
export {
  prepareValidatorHome,
  Replica,
  type ReplicaDependencies,
  type ReplicaOptions,
  type ReplicaStatus,
} from './replica.ts';
export type { Admission, SubmissionStatus } from './transaction-desk.ts';
export * from './wire.ts';
