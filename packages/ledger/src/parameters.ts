import { fail, ok, type Refusal, type Result } from '@nacre/base';

/** How one genesis parameter is bounded. */
export interface ParameterRule {
  /** What the number counts. */
  readonly unit: 'bytes' | 'count' | 'heights' | 'ms' | 'version';
  /** What `createGenesis` puts where nothing else is asked for. */
  readonly default: number;
  /** Smallest and largest value that a genesis may name, both inclusive. */
  readonly min: number;
  readonly max: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND_MS = 1000;
const HOUR_MS = 3600 * SECOND_MS;

/**
 * Every number that decides whether a block is valid. They stand in the genesis file, all of them, so that two versions of this
 * program with other defaults can never disagree about a block; the maxima are also the bounds of the wire types.
 */
export const PARAMETER_RULES = {
  /** Rules that this network follows; see {@link PROTOCOL_VERSION_MAX}. Any greater number can be decided, or programs would disagree about it. */
  protocolVersion: { unit: 'version', default: 1, min: 1, max: 65_535 },

  /** Block time from the end of one epoch to that of the next, at least. */
  epochMs: { unit: 'ms', default: HOUR_MS, min: 1, max: 30 * 24 * HOUR_MS },
  /** Blocks of one epoch at least, so that an epoch in which the chain stood still is long enough to be told about. */
  epochBlocksMin: { unit: 'heights', default: 8, min: 1, max: 1_000_000 },
  /** How long a proposed change may gather approvals, in block time. */
  proposalWindowMs: { unit: 'ms', default: 24 * HOUR_MS, min: SECOND_MS, max: 365 * 24 * HOUR_MS },
  /** Open proposals of one validator. A limit for each, not for all: otherwise one of them could take every place. */
  proposalsPerValidatorMax: { unit: 'count', default: 8, min: 1, max: 32 },
  /** Epochs after the one of an offence in which its evidence still counts. Longer: keys of the past stay dangerous for longer. */
  evidenceEpochs: { unit: 'count', default: 8, min: 1, max: 10_000 },

  /** Bytes of all transactions of one block. Higher: longer rounds on slow links. A peer hands out a whole block in one answer. */
  blockBytesMax: { unit: 'bytes', default: 2 * MIB, min: 64 * KIB, max: 8 * MIB },
  /** Transactions of one block, and so body hashes of a compact proposal, which must fit one frame. */
  blockTransactionsMax: { unit: 'count', default: 10_000, min: 1, max: 32_768 },
  /** Late commits that one block may credit, each with its signature. Lower: a far validator may look absent. */
  lateCommitsMax: { unit: 'count', default: 128, min: 0, max: 256 },
  /** How many heights back a block may credit commits, its parent's included. */
  lateCommitHeights: { unit: 'heights', default: 8, min: 1, max: 8 },

  /** Bytes of one encoded transaction with its signature. At least what evidence takes: three ML-DSA-87 signatures. */
  transactionBytesMax: { unit: 'bytes', default: MIB, min: 16 * KIB, max: 2 * MIB },
  /** Operations of one transaction. */
  operationsMax: { unit: 'count', default: 256, min: 1, max: 1024 },
  /** Records of one transaction, over all its operations. */
  recordsPerTransactionMax: { unit: 'count', default: 1000, min: 1, max: 10_000 },
  /** Bytes of one record's payload. */
  recordBytesMax: { unit: 'bytes', default: 64 * KIB, min: 256, max: MIB },
  /** Bytes of one record's key in UTF-8. */
  keyBytesMax: { unit: 'bytes', default: 256, min: 1, max: KIB },
  /** How far ahead of its block's time a transaction may say that it stays valid. Longer: a larger set of ids that replay is checked against. */
  validityWindowMs: { unit: 'ms', default: HOUR_MS, min: SECOND_MS, max: 24 * HOUR_MS },

  /** Owners of one service. */
  serviceOwnersMax: { unit: 'count', default: 16, min: 1, max: 64 },
  /** Writers of one service. */
  serviceWritersMax: { unit: 'count', default: 1000, min: 1, max: 4096 },
  /** Schemas (name and version) of one service. */
  serviceSchemasMax: { unit: 'count', default: 64, min: 1, max: 1024 },

  /** Precision of the validators' clocks: a fresh proposal may lie this much ahead of the receiver's. Protocol section 5, "Time". */
  timePrecisionMs: { unit: 'ms', default: 500, min: 1, max: 60 * SECOND_MS },
  /** How old a fresh proposal of round 0 may be when it arrives. */
  timeDelayMs: { unit: 'ms', default: 3 * SECOND_MS, min: 1, max: 60 * SECOND_MS },
  /** What each further round adds to that age, so that a delay set too short cannot stop the chain for good. */
  timeDelayGrowthMs: { unit: 'ms', default: 1500, min: 1, max: 60 * SECOND_MS },

  /** Accounts that one validator may sponsor. */
  accountsPerValidatorMax: { unit: 'count', default: 10_000, min: 0, max: 10_000_000 },
  /** Services that one validator may sponsor. */
  servicesPerValidatorMax: { unit: 'count', default: 1000, min: 0, max: 1_000_000 },
  /** Length of the windows, in block time, after which the byte quotas start anew. */
  quotaWindowMs: { unit: 'ms', default: 60 * SECOND_MS, min: SECOND_MS, max: 24 * HOUR_MS },
  /** Bytes of transactions that the whole network takes in one window; each sponsor has the share of its weight. */
  quotaBytesPerWindow: { unit: 'bytes', default: 1024 * MIB, min: MIB, max: 2 ** 50 },
} as const satisfies Readonly<Record<string, ParameterRule>>;

/**
 * The newest rules that this program knows. A network goes on to newer ones by a change of the parameter `protocolVersion`; this program then
 * has to be replaced before they are in force, and stops at that epoch if it was not.
 */
export const PROTOCOL_VERSION_MAX = 1;

export type ParameterName = keyof typeof PARAMETER_RULES;

/** The genesis parameters of a network; names, units and ranges in {@link PARAMETER_RULES}. */
export type ChainParameters = { readonly [Name in ParameterName]: number };

/** Parameters that the state can hold, those of later rules included. */
export const PARAMETER_COUNT_MAX = 256;

export const PARAMETER_NAMES = Object.keys(PARAMETER_RULES) as readonly ParameterName[];

/** The defaults, with what `overrides` names put in their place. Ranges are checked by {@link checkParameters}. */
export function chainParameters(overrides: Partial<ChainParameters> = {}): ChainParameters {
  const entries = PARAMETER_NAMES.map((name) => [name, overrides[name] ?? PARAMETER_RULES[name].default]);
  return Object.fromEntries(entries) as ChainParameters;
}

export function isParameterName(name: string): name is ParameterName {
  return Object.hasOwn(PARAMETER_RULES, name);
}

/** @returns the first number that is out of its range, or that contradicts another: `PARAMETER_OUT_OF_RANGE`, `PARAMETERS_INCONSISTENT` */
export function checkParameters(parameters: ChainParameters): Result<void, Refusal> {
  for (const name of PARAMETER_NAMES) {
    const checked = checkParameter(name, parameters[name]);
    if (!checked.ok) return checked;
  }
  // Otherwise a transaction could be admitted that no block may hold.
  if (parameters.transactionBytesMax > parameters.blockBytesMax) {
    return fail({
      code: 'PARAMETERS_INCONSISTENT',
      path: 'parameters.transactionBytesMax',
      value: parameters.transactionBytesMax,
      max: parameters.blockBytesMax,
    });
  }
  return ok(undefined);
}

/** @returns `PARAMETER_OUT_OF_RANGE` */
export function checkParameter(name: ParameterName, value: number): Result<void, Refusal> {
  const { min, max, unit } = PARAMETER_RULES[name];
  if (Number.isSafeInteger(value) && value >= min && value <= max) return ok(undefined);
  return fail({ code: 'PARAMETER_OUT_OF_RANGE', path: `parameters.${name}`, value, min, max, unit });
}
