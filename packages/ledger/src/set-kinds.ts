import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz';
import { type Address, COMMITTEE_SIZE_MAX, concatBytes, type Hash, PROPOSALS_MAX, uint64Bytes, utf8 } from '@nacre/base';
import { BoundedUintType, convertedCodec, HashType, PublicKeyType, RoundType, Uint53Type, type Validator } from '@nacre/consensus';
import { PARAMETER_COUNT_MAX, type ParameterName } from './parameters.ts';
import type { SetChange } from './set-change.ts';
import { parameterNameFromWire, SetChangeType, setChangeFromWire, setChangeToWire } from './set-change-wire.ts';
import { StateKind, valueCodec } from './state-kinds.ts';
import { NameType, Uint32Type } from './wire.ts';

/** Where an epoch begins and who decides in it. One entry for each, for ever: the height of any old signature leads to its keys. */
export interface EpochEntry {
  readonly firstHeight: number;
  /** Block time of the block before the first; the genesis time for epoch 0. The epoch's length counts from here. */
  readonly startMs: number;
  readonly committeeHash: Hash;
}

/** How one validator did in the last epoch that it served. */
export interface Performance {
  readonly epoch: number;
  /** Heights of that epoch whose time for late commits was over at its end. */
  readonly heights: number;
  /** How many of them it signed. Below half: its weight falls. */
  readonly commits: number;
  /** How often a block was decided in a round that was its to propose in. For people; it changes no weight. */
  readonly proposals: number;
  /** How often a round that was its to propose in passed without a decision, by its fault or another's. For people. */
  readonly passed: number;
}

/** What follows from a proven offence. `pending` until the epoch ends in which it was proven. */
export type Verdict = 'pending' | 'quarantined' | 'serving';

/** A validator as the network has decided it; what has been decided acts two epochs later. */
export interface Member {
  readonly address: Address;
  /** Current key. */
  readonly publicKey: Uint8Array;
  /** 0 once it has left, until the last committee with it is over. */
  readonly weight: number;
  /** Weight that was last decided. Performance moves `weight` below it and back. */
  readonly baseWeight: number;
  /**
   * The offence that it is held for: its number, and from which epoch on what follows. `serving` means that it stays although it should not,
   * because a third of the weight would have gone at once; a decided change ends either.
   */
  readonly held: { readonly offence: number; readonly verdict: Verdict; readonly epoch: number } | null;
  /** Offences up to this height were forgiven by a decided rehabilitation. */
  readonly pardonedHeight: number;
  /** Null before the first epoch that it served has ended. */
  readonly performance: Performance | null;
}

/** The validator set as decided so far. */
export interface Registry {
  /** Committee of the next epoch, unless a quarantine comes between. */
  readonly scheduled: Hash;
  readonly offenceCount: number;
  /** Ascending by address. */
  readonly members: readonly Member[];
}

/** One parameter's value in this epoch, in the next, and as decided so far for the one after that. */
export interface ParameterStages {
  readonly name: ParameterName;
  readonly inForce: number;
  readonly scheduled: number;
  readonly decided: number;
}

/** A change that validators approve, or have approved. */
export interface Proposal {
  readonly change: SetChange;
  readonly proposer: Address;
  readonly openedMs: number;
  /** The last block time at which it can be approved. */
  readonly expiresMs: number;
  /** In the order in which they came. Those of validators who are no longer in the committee go with the next one that comes. */
  readonly approvals: readonly Address[];
  /** Null while it is open. */
  readonly approved: { readonly height: number; readonly actsAtEpoch: number } | null;
}

export type OffenceKind = 'prepare' | 'commit' | 'proposal';

/** Where a validator signed two different things. */
export interface OffencePlace {
  readonly address: Address;
  readonly height: number;
  readonly round: number;
  readonly kind: OffenceKind;
}

/** A proven offence, and where its evidence stands. */
export interface Offence extends OffencePlace {
  readonly provenHeight: number;
  /** Transaction that holds both signed messages. */
  readonly bodyHash: Hash;
  /** Index of the operation within it. */
  readonly operation: number;
}

const NOTHING = new Uint8Array(0);
const OFFENCE_KINDS = ['prepare', 'commit', 'proposal'] as const satisfies readonly OffenceKind[];
const VERDICTS = ['pending', 'quarantined', 'serving'] as const satisfies readonly Verdict[];
/** Members and those who have left but still serve. */
const MEMBERS_MAX = 2 * COMMITTEE_SIZE_MAX;

export const EPOCH = new StateKind<number, EpochEntry>(
  8,
  uint64Bytes,
  valueCodec('epoch', new ContainerType({ firstHeight: Uint53Type, startMs: Uint53Type, committeeHash: HashType })),
);

const CommitteeType = new ContainerType({
  validators: new ListCompositeType(
    new ContainerType({ address: HashType, publicKey: PublicKeyType, weight: Uint53Type }),
    COMMITTEE_SIZE_MAX,
  ),
});

/** By the committee's hash, so that the same one is there once. In the committee's order. */
export const COMMITTEE = new StateKind<Hash, { readonly validators: readonly Validator[] }>(
  9,
  (hash) => hash,
  convertedCodec(CommitteeType, {
    name: 'committee',
    bytesMax: 512 * 1024,
    toWire: ({ validators }) => ({ validators: [...validators] }),
    fromWire: (wire) => wire,
  }),
);

const HeldType = new ContainerType({
  offence: Uint53Type,
  verdict: new BoundedUintType(1, { min: 0, max: VERDICTS.length - 1 }),
  epoch: Uint53Type,
});
const PerformanceType = new ContainerType({
  epoch: Uint53Type,
  heights: Uint53Type,
  commits: Uint53Type,
  proposals: Uint53Type,
  passed: Uint53Type,
});
const MemberType = new ContainerType({
  address: HashType,
  publicKey: PublicKeyType,
  weight: Uint53Type,
  baseWeight: Uint53Type,
  held: new ListCompositeType(HeldType, 1),
  pardonedHeight: Uint53Type,
  performance: new ListCompositeType(PerformanceType, 1),
});
const RegistryType = new ContainerType({
  scheduled: HashType,
  offenceCount: Uint53Type,
  members: new ListCompositeType(MemberType, MEMBERS_MAX),
});

function memberToWire({ held, performance, ...member }: Member): ValueOf<typeof MemberType> {
  return {
    ...member,
    held: held === null ? [] : [{ ...held, verdict: VERDICTS.indexOf(held.verdict) }],
    performance: performance === null ? [] : [performance],
  };
}

function memberFromWire({ held: [held], performance: [performance], ...member }: ValueOf<typeof MemberType>): Member {
  return {
    ...member,
    held: held === undefined ? null : { ...held, verdict: VERDICTS[held.verdict] as Verdict },
    performance: performance ?? null,
  };
}

/** One value: it changes when something is decided and when an epoch ends, and is then needed as a whole. */
export const REGISTRY = new StateKind<null, Registry>(
  10,
  () => NOTHING,
  convertedCodec(RegistryType, {
    name: 'registry',
    bytesMax: 1024 * 1024,
    toWire: ({ members, ...registry }) => ({ ...registry, members: members.map(memberToWire) }),
    fromWire: ({ members, ...registry }) => ({ ...registry, members: members.map(memberFromWire) }),
  }),
);

const ParametersType = new ContainerType({
  stages: new ListCompositeType(
    new ContainerType({ name: NameType, inForce: Uint53Type, scheduled: Uint53Type, decided: Uint53Type }),
    PARAMETER_COUNT_MAX,
  ),
});

/** By name, so that later rules can add parameters without another format. In the order of `PARAMETER_NAMES`. */
export const PARAMETERS = new StateKind<null, readonly ParameterStages[]>(
  11,
  () => NOTHING,
  convertedCodec(ParametersType, {
    name: 'parameters',
    bytesMax: 16 * 1024,
    toWire: (stages) => ({ stages: stages.map(({ name, ...values }) => ({ ...values, name: utf8(name) })) }),
    fromWire: ({ stages }) => stages.map(({ name, ...values }) => ({ ...values, name: parameterNameFromWire(name) })),
  }),
);

const ProposalType = new ContainerType({
  change: SetChangeType,
  proposer: HashType,
  openedMs: Uint53Type,
  expiresMs: Uint53Type,
  approvals: new ListCompositeType(HashType, COMMITTEE_SIZE_MAX),
  approved: new ListCompositeType(new ContainerType({ height: Uint53Type, actsAtEpoch: Uint53Type }), 1),
});

/** By its id. It stays when it is over, so that everyone can look up what became of it. */
export const PROPOSAL = new StateKind<Hash, Proposal>(
  12,
  (id) => id,
  convertedCodec(ProposalType, {
    name: 'proposal',
    bytesMax: 32 * 1024,
    toWire: ({ change, approvals, approved, ...rest }) => ({
      ...rest,
      change: setChangeToWire(change),
      approvals: [...approvals],
      approved: approved === null ? [] : [approved],
    }),
    fromWire: ({ change, approved: [approved], ...rest }) => ({ ...rest, change: setChangeFromWire(change), approved: approved ?? null }),
  }),
);

/** Ids of the proposals that are open, or approved and not in force yet; in the order in which they were opened. */
export const PROPOSALS: StateKind<null, readonly Hash[]> = new StateKind(
  13,
  () => NOTHING,
  convertedCodec(new ContainerType({ ids: new ListCompositeType(HashType, PROPOSALS_MAX) }), {
    name: 'proposals',
    bytesMax: 4 + PROPOSALS_MAX * 32,
    toWire: (ids) => ({ ids: [...ids] }),
    fromWire: ({ ids }) => ids,
  }),
);

const OffenceType = new ContainerType({
  address: HashType,
  height: Uint53Type,
  round: RoundType,
  kind: new BoundedUintType(1, { min: 0, max: OFFENCE_KINDS.length - 1 }),
  provenHeight: Uint53Type,
  bodyHash: HashType,
  operation: Uint32Type,
});

/** By number, from 0 on in the order of proof. */
export const OFFENCE: StateKind<number, Offence> = new StateKind(
  14,
  uint64Bytes,
  convertedCodec(OffenceType, {
    name: 'offence',
    bytesMax: 256,
    toWire: (offence) => ({ ...offence, kind: OFFENCE_KINDS.indexOf(offence.kind) }),
    fromWire: (wire) => ({ ...wire, kind: OFFENCE_KINDS[wire.kind] as OffenceKind }),
  }),
);

/** Number of the offence at a place: each counts once. */
export const OFFENCE_NUMBER = new StateKind<OffencePlace, { readonly number: number }>(
  15,
  ({ address, height, round, kind }) =>
    concatBytes(address, uint64Bytes(height), uint64Bytes(round), Uint8Array.of(OFFENCE_KINDS.indexOf(kind))),
  valueCodec('offence number', new ContainerType({ number: Uint53Type })),
);
