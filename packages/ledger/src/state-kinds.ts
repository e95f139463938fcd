import { ContainerType, ListBasicType, ListCompositeType, type Type } from '@chainsafe/ssz';
import { type Address, COMMITTEE_SIZE_MAX, concatBytes, type Hash, keyOf, utf8 } from '@nacre/base';
import {
  bitsToValidators,
  type Codec,
  convertedCodec,
  HashType,
  PublicKeyType,
  strictCodec,
  Uint53Type,
  ValidatorSetType,
  validatorsToBits,
} from '@nacre/consensus';
import { taggedHash } from '@nacre/crypto';
import type { LateCommitters } from './header.ts';
import type { ServiceDefinition } from './operation.ts';
import { ServiceDefinitionType, serviceFromWire, serviceToWire } from './operation-wire.ts';
import { PARAMETER_RULES } from './parameters.ts';
import { NonceType } from './wire.ts';

const STATE_KEY_TAG = 'nacre/1/state-key';
const STATE_VALUE_TAG = 'nacre/1/state-value';

/** A key that signs no more, and until when transactions that it signed before may still be in a block. */
export interface RetiredKey {
  readonly publicKey: Uint8Array;
  /** The last `validUntilMs` that a transaction signed in its time can have. */
  readonly untilMs: number;
}

/** Who may sign, and on whose quota. Its address is that of its first key. */
export interface Account {
  readonly publicKey: Uint8Array;
  /** The key before, kept until no transaction of its time can wait any more; null if there is none. */
  readonly retired: RetiredKey | null;
  /** The validator whose quota it uses, unless it is in the committee: then it uses its own. */
  readonly sponsor: Address;
}

export interface Service extends ServiceDefinition {
  readonly sponsor: Address;
}

/** A service's record log. Apart from the service, because it changes with every append and belongs in every record's proof. */
export interface RecordLog {
  readonly recordCount: number;
  /** RFC 6962 root over the records' canonical bytes. */
  readonly logRoot: Hash;
}

/** What one validator's quota has been used for. */
export interface Sponsorship {
  readonly accounts: number;
  readonly services: number;
  /** Start of the window that `bytesUsed` counts, in ms of block time. */
  readonly windowStartMs: number;
  readonly bytesUsed: number;
}

/** Who signed what was decided in the epoch of the next block: what weights are judged by at its end. */
export interface Participation {
  readonly epoch: number;
  /** Heights of this epoch whose commits have been credited. */
  readonly heights: number;
  /** Credited commits of this epoch, by position in the committee. */
  readonly commits: readonly number[];
  /** By position: heights of this epoch that were decided in a round that was its to propose in. */
  readonly proposals: readonly number[];
  /** By position: rounds that were its to propose in and passed without a decision. */
  readonly passed: readonly number[];
  /** The credited validators of the last heights, ascending by height: later blocks may add to them, but not twice. */
  readonly recent: readonly LateCommitters[];
}

/** A validator's last recovery: from the height above on its votes count again. Protocol section 5. */
export interface Recovery {
  readonly height: number;
  readonly nonce: Uint8Array;
}

/**
 * One kind of entry of the state tree: how its key and value hash are made. The tree's key is a tagged hash of kind and identity,
 * so keys are spread evenly whoever chooses the names.
 */
export class StateKind<Identity, Value> {
  readonly #number: number;
  readonly #identity: (identity: Identity) => Uint8Array;
  readonly codec: Codec<Value>;

  /** @param number one byte that names the kind, for ever */
  constructor(number: number, identity: (identity: Identity) => Uint8Array, codec: Codec<Value>) {
    this.#number = number;
    this.#identity = identity;
    this.codec = codec;
  }

  stateKey(identity: Identity): Hash {
    return taggedHash(STATE_KEY_TAG, Uint8Array.of(this.#number), this.#identity(identity));
  }

  /** Under what a Map holds the entry. */
  mapKey(identity: Identity): string {
    const text = typeof identity === 'string' ? identity : keyOf(this.#identity(identity));
    return String.fromCharCode(this.#number) + text;
  }
}

export function stateValueHash(bytes: Uint8Array): Hash {
  return taggedHash(STATE_VALUE_TAG, bytes);
}

/** Above the largest value: a service with all its writers. */
const VALUE_BYTES_MAX = 512 * 1024;

export function valueCodec<Value>(name: string, type: Type<Value>): Codec<Value> {
  return strictCodec(type, { name, bytesMax: VALUE_BYTES_MAX });
}

/** The writer of a record under a key: the latest wins. */
export interface LatestRecord {
  readonly index: number;
  /** Hash of the record as a leaf of the log. */
  readonly leafHash: Hash;
}

export interface ServiceKey {
  readonly service: string;
  readonly key: string;
}

const address = (identity: Address): Uint8Array => identity;

const AccountType = new ContainerType({
  publicKey: PublicKeyType,
  sponsor: HashType,
  retired: new ListCompositeType(new ContainerType({ publicKey: PublicKeyType, untilMs: Uint53Type }), 1),
});

export const ACCOUNT = new StateKind<Address, Account>(
  1,
  address,
  convertedCodec(AccountType, {
    name: 'account',
    bytesMax: 8 * 1024,
    toWire: ({ retired, ...account }) => ({ ...account, retired: retired === null ? [] : [retired] }),
    fromWire: ({ retired: [retired], ...account }) => ({ ...account, retired: retired ?? null }),
  }),
);

const ServiceType = new ContainerType({ definition: ServiceDefinitionType, sponsor: HashType });

export const SERVICE = new StateKind<string, Service>(
  2,
  utf8,
  convertedCodec(ServiceType, {
    name: 'service',
    bytesMax: VALUE_BYTES_MAX,
    toWire: ({ sponsor, ...definition }) => ({ definition: serviceToWire(definition), sponsor }),
    fromWire: ({ definition, sponsor }) => {
      const service = serviceFromWire(definition);
      if (!service.ok) throw new RangeError('a name is not UTF-8');
      return { ...service.value, sponsor };
    },
  }),
);

export const RECORD_LOG = new StateKind<string, RecordLog>(
  3,
  utf8,
  valueCodec('record log', new ContainerType({ recordCount: Uint53Type, logRoot: HashType })),
);

/** The length byte of the service's name keeps one service's keys apart from another's. */
export const LATEST_RECORD = new StateKind<ServiceKey, LatestRecord>(
  4,
  ({ service, key }) => {
    const name = utf8(service);
    return concatBytes(Uint8Array.of(name.length), name, utf8(key));
  },
  valueCodec('latest record', new ContainerType({ index: Uint53Type, leafHash: HashType })),
);

export const SPONSORSHIP = new StateKind<Address, Sponsorship>(
  5,
  address,
  valueCodec(
    'sponsorship',
    new ContainerType({ accounts: Uint53Type, services: Uint53Type, windowStartMs: Uint53Type, bytesUsed: Uint53Type }),
  ),
);

const ParticipationType = new ContainerType({
  epoch: Uint53Type,
  heights: Uint53Type,
  commits: new ListBasicType(Uint53Type, COMMITTEE_SIZE_MAX),
  proposals: new ListBasicType(Uint53Type, COMMITTEE_SIZE_MAX),
  passed: new ListBasicType(Uint53Type, COMMITTEE_SIZE_MAX),
  recent: new ListCompositeType(
    new ContainerType({ height: Uint53Type, validators: ValidatorSetType }),
    PARAMETER_RULES.lateCommitHeights.max,
  ),
});

export const PARTICIPATION = new StateKind<null, Participation>(
  6,
  () => new Uint8Array(0),
  convertedCodec(ParticipationType, {
    name: 'participation',
    bytesMax: VALUE_BYTES_MAX,
    toWire: ({ commits, proposals, passed, recent, ...counted }) => ({
      ...counted,
      commits: [...commits],
      proposals: [...proposals],
      passed: [...passed],
      recent: recent.map(({ height, validators }) => ({ height, validators: validatorsToBits(validators) })),
    }),
    fromWire: ({ recent, ...counted }) => ({
      ...counted,
      recent: recent.map(({ height, validators }) => ({ height, validators: bitsToValidators(validators) })),
    }),
  }),
);

export const RECOVERY = new StateKind<Address, Recovery>(
  7,
  address,
  valueCodec('recovery', new ContainerType({ height: Uint53Type, nonce: NonceType })),
);
