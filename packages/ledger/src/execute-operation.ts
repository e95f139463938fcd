import { type Address, compareBytes, type Refusal, type Result, unreachable } from '@nacre/base';
import type { Committee } from '@nacre/consensus';
import { addressOf, EMPTY_LOG_ROOT, type SignatureScheme } from '@nacre/crypto';
import type { FailureCode } from './block-effects.ts';
import type { EpochInfo } from './epoch-info.ts';
import { approveProposal, openProposal } from './govern.ts';
import type { Operation, RecordAppend, ServiceCreate, ServiceDefinition, ServiceUpdate } from './operation.ts';
import type { Overlay } from './overlay.ts';
import type { ChainParameters } from './parameters.ts';
import { sponsorshipAt } from './quota.ts';
import type { RecordAppends } from './record-appends.ts';
import { reportEvidence } from './report-evidence.ts';
import { rotateKey } from './rotate-key.ts';
import { ACCOUNT, RECORD_LOG, RECOVERY, SERVICE, SPONSORSHIP } from './state-kinds.ts';
import type { Transaction } from './transaction.ts';

/** Where an operation runs. */
export interface OperationScope {
  readonly scheme: SignatureScheme;
  readonly allowLargeWeights: boolean;
  readonly parameters: ChainParameters;
  /** Epoch of the block. */
  readonly info: EpochInfo;
  readonly committee: Committee;
  /** The committee of the next epoch, unless somebody is quarantined before. */
  readonly scheduled: () => Committee;
  /** See `Ledger.epochOf`. */
  readonly epochOf: (height: number) => EpochInfo | undefined;
  readonly height: number;
  readonly timeMs: number;
  readonly overlay: Overlay;
  readonly appends: RecordAppends;
  readonly transaction: Transaction;
  /** Of the signer. */
  readonly sponsor: Address;
  /** Index of the operation within the transaction. */
  readonly operation: number;
}

/** Carries out one operation. @returns why it fails, or null; the caller takes back what a failed transaction has set */
export function executeOperation(operation: Operation, scope: OperationScope): Refusal<FailureCode> | null {
  const failure = outcomeOf(operation, scope);
  return typeof failure === 'string' ? { code: failure } : failure;
}

function outcomeOf(operation: Operation, scope: OperationScope): Refusal<FailureCode> | FailureCode | null {
  switch (operation.kind) {
    case 'account.create':
      return createAccount(operation.publicKey, scope);
    case 'service.create':
      return createService(operation, scope);
    case 'service.update':
      return updateService(operation, scope);
    case 'record.append':
      return appendRecords(operation, scope);
    case 'validator.recover':
      return recoverValidator(operation.nonce, scope);
    case 'validator.join': {
      const { proofOfPossession: _, ...change } = operation;
      return errorOf(openProposal(change, scope));
    }
    case 'validator.leave':
    case 'validator.weight':
    case 'validator.rehabilitate':
    case 'parameters.change':
      return errorOf(openProposal(operation, scope));
    case 'proposal.approve':
      return errorOf(approveProposal(operation.id, scope));
    case 'key.rotate':
      return errorOf(rotateKey(operation.publicKey, scope));
    case 'evidence':
      return errorOf(reportEvidence(operation.equivocation, scope));
    default:
      return unreachable(operation);
  }
}

function errorOf(result: Result<void, Refusal<FailureCode>>): Refusal<FailureCode> | null {
  return result.ok ? null : result.error;
}

/** Makes an account, or takes on one whose sponsor has left: it keeps its keys, and writes on the quota of its new sponsor. */
function createAccount(publicKey: Uint8Array, scope: OperationScope): FailureCode | null {
  const { overlay, committee, parameters, timeMs } = scope;
  const sponsor = scope.transaction.contents.account;
  if (committee.indexOf(sponsor) === null) return 'NOT_A_VALIDATOR';
  const address = addressOf(scope.scheme, publicKey);
  const known = overlay.get(ACCOUNT, address);
  const hasQuota = known !== undefined && [address, known.sponsor].some((one) => committee.indexOf(one) !== null);
  if (hasQuota) return 'ACCOUNT_EXISTS';
  const used = sponsorshipAt(overlay, sponsor, { timeMs, quotaWindowMs: parameters.quotaWindowMs });
  if (used.accounts >= parameters.accountsPerValidatorMax) return 'ACCOUNT_QUOTA_EXCEEDED';
  overlay.set(SPONSORSHIP, sponsor, { ...used, accounts: used.accounts + 1 });
  overlay.set(ACCOUNT, address, { publicKey, retired: null, ...known, sponsor });
  return null;
}

function createService(operation: ServiceCreate, scope: OperationScope): FailureCode | null {
  const definition = definitionOf(operation);
  const { overlay, sponsor, parameters, timeMs } = scope;
  if (overlay.get(SERVICE, definition.name) !== undefined) return 'SERVICE_EXISTS';
  const used = sponsorshipAt(overlay, sponsor, { timeMs, quotaWindowMs: parameters.quotaWindowMs });
  if (used.services >= parameters.servicesPerValidatorMax) return 'SERVICE_QUOTA_EXCEEDED';
  overlay.set(SPONSORSHIP, sponsor, { ...used, services: used.services + 1 });
  overlay.set(SERVICE, definition.name, { ...definition, sponsor });
  overlay.set(RECORD_LOG, definition.name, { recordCount: 0, logRoot: EMPTY_LOG_ROOT });
  return null;
}

function updateService(operation: ServiceUpdate, { overlay, transaction }: OperationScope): FailureCode | null {
  const definition = definitionOf(operation);
  const service = overlay.get(SERVICE, definition.name);
  if (service === undefined) return 'UNKNOWN_SERVICE';
  if (!includes(service.owners, transaction.contents.account)) return 'NOT_AN_OWNER';
  overlay.set(SERVICE, definition.name, { ...definition, sponsor: service.sponsor });
  return null;
}

function definitionOf({ name, owners, writers, schemas, shard, retentionMs }: ServiceDefinition): ServiceDefinition {
  return { name, owners, writers, schemas, shard, retentionMs };
}

function appendRecords(append: RecordAppend, scope: OperationScope): FailureCode | null {
  const { overlay, transaction, height, timeMs, operation } = scope;
  const service = overlay.get(SERVICE, append.service);
  if (service === undefined) return 'UNKNOWN_SERVICE';
  if (!includes(service.writers, transaction.contents.account)) return 'NOT_A_WRITER';
  const listed = service.schemas.some(({ name, version }) => name === append.schema && version === append.schemaVersion);
  if (!listed) return 'SCHEMA_NOT_LISTED';
  scope.appends.add(overlay, append, { transaction, height, timeMs, operation });
  return null;
}

function recoverValidator(nonce: Uint8Array, { overlay, committee, transaction, height }: OperationScope): FailureCode | null {
  const { account } = transaction.contents;
  if (committee.indexOf(account) === null) return 'NOT_A_VALIDATOR';
  overlay.set(RECOVERY, account, { height, nonce });
  return null;
}

/** Halving, because lists of thousands are searched for every operation of a block. @param addresses ascending */
function includes(addresses: readonly Address[], address: Address): boolean {
  let low = 0;
  let high = addresses.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareBytes(addresses[middle] as Address, address);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}
