import { toHex } from '@nacre/base';
import type { Codec, Equivocation } from '@nacre/consensus';
import { sha256 } from '@nacre/crypto';
import { createGenesis, decodeTransaction, type Operation } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { COMMITTEE, EPOCH, OFFENCE, OFFENCE_NUMBER, PARAMETERS, PROPOSAL, PROPOSALS, REGISTRY } from '../src/set-kinds.ts';
import { ACCOUNT, PARTICIPATION, type StateKind } from '../src/state-kinds.ts';
import { encodeTransaction } from '../src/transaction.ts';
import { FakeSigner } from './support/fake-keys.ts';

const { publicKey } = new FakeSigner('someone');
const address = new Uint8Array(32).fill(7);
const hash = new Uint8Array(32).fill(8);
const proofOfPossession = new Uint8Array(2420).fill(9);
const signature = new Uint8Array(2420).fill(5);

const votes: Equivocation = {
  kind: 'vote',
  validator: 2,
  first: { height: 3, round: 1, kind: 'commit', blockHash: null, validator: 2, signature },
  second: { height: 3, round: 1, kind: 'commit', blockHash: hash, validator: 2, signature },
};
const proposals: Equivocation = {
  kind: 'proposal',
  validator: 2,
  first: { height: 3, round: 1, validRound: -1, blockHash: hash, proposer: 2, signature },
  second: { height: 3, round: 1, validRound: 0, blockHash: hash, proposer: 2, signature },
};

const operations: readonly (readonly [Operation, string])[] = [
  [{ kind: 'validator.join', address, publicKey, weight: 1000, proofOfPossession }, '3a4092367bfe43f3f1104185c2974d62'],
  [{ kind: 'validator.leave', address }, 'd88797ff2f43b061e302f87af07aad83'],
  [{ kind: 'validator.weight', address, weight: 1 }, 'a33f0483e8c79fa1e242a25cb4927cfb'],
  [{ kind: 'validator.rehabilitate', address }, 'fbde25a6f83396bb35771fb37c339024'],
  [{ kind: 'parameters.change', name: 'epochMs', value: 60_000 }, '623bdacdce0ce92e5de408130cccf87f'],
  [{ kind: 'proposal.approve', id: hash }, 'de89a5e0ae5c38665ea10c82371d77cc'],
  [{ kind: 'key.rotate', publicKey, proofOfPossession }, '65e5aa9e40770e32d19090870e837b67'],
  [{ kind: 'evidence', equivocation: votes }, '0b8919d081e0e4c3a59560464856ba2f'],
  [{ kind: 'evidence', equivocation: proposals }, '3b65a834e87f8c95dcf035aff991bb32'],
];

describe('version 1 of the operations about validators', () => {
  const genesis = createGenesis({
    network: 'test',
    timeMs: 0,
    scheme: 'ml-dsa-44',
    validators: [{ publicKey, weight: 1 }],
    allowLargeWeights: true,
  });

  // @mutation packages/ledger/src/operation-wire.ts
  // - 'validator.leave': 6,
  // - 'validator.weight': 7,
  // - 'validator.rehabilitate': 8,
  // + 'validator.leave': 8,
  // + 'validator.weight': 7,
  // + 'validator.rehabilitate': 6,
  test.each(operations)('%o', (operation, pinned) => {
    const contents = {
      chain: 0,
      account: address,
      keyId: hash.subarray(0, 8),
      nonce: hash.subarray(0, 16),
      validUntilMs: 1,
      operations: [operation],
    };
    const bytes = encodeTransaction(genesis, contents, signature);
    const decoded = decodeTransaction(bytes, genesis);
    expect(decoded).toMatchObject({ ok: true, value: { contents: { operations: [operation] } } });
    expect(digest(bytes)).toBe(pinned);
  });
});

function digest(bytes: Uint8Array): string {
  return toHex(sha256(bytes)).slice(0, 32);
}

interface Sample<Identity, Value> {
  readonly kind: StateKind<Identity, Value>;
  readonly identity: Identity;
  readonly value: Value;
}

function sample<Identity, Value>(kind: StateKind<Identity, Value>, identity: Identity, value: Value): Sample<unknown, unknown> {
  return { kind, identity, value } as Sample<unknown, unknown>;
}

const change = { kind: 'validator.join', address, publicKey, weight: 1000 } as const;
const proposal = {
  change,
  proposer: address,
  openedMs: 1,
  expiresMs: 2,
  approvals: [address, hash],
  approved: { height: 3, actsAtEpoch: 4 },
};
const member = {
  address,
  publicKey,
  weight: 750,
  baseWeight: 1000,
  held: { offence: 3, verdict: 'serving' as const, epoch: 4 },
  pardonedHeight: 5,
  performance: { epoch: 6, heights: 7, commits: 3, proposals: 2, passed: 1 },
};
const offence = { address, height: 3, round: 1, kind: 'proposal' as const };
const counted = { epoch: 1, heights: 2, commits: [1, 2], proposals: [2, 0], passed: [0, 1], recent: [{ height: 9, validators: [1] }] };

describe('version 1 of the state about validators', () => {
  test.each([
    ['an epoch', sample(EPOCH, 3, { firstHeight: 1, startMs: 2, committeeHash: hash }), '99c07d7d5aee3d8b31d1ef62388f9373'],
    ['a committee', sample(COMMITTEE, hash, { validators: [{ address, publicKey, weight: 3 }] }), 'a95d802bec907c1018c6c971c2397b15'],
    [
      'the registry',
      sample(REGISTRY, null, { scheduled: hash, offenceCount: 4, members: [member, { ...member, held: null, performance: null }] }),
      '71d4ebf3491fd3dd9502448bf8694092',
    ],
    [
      'the parameters',
      sample(PARAMETERS, null, [{ name: 'epochMs', inForce: 1, scheduled: 2, decided: 3 }]),
      '374ef99cab8830c36ad48c8750bc6653',
    ],
    ['a proposal to join', sample(PROPOSAL, hash, proposal), '1e2e25c19d55d1a66cfef57937b44240'],
    [
      'a proposal to leave',
      sample(PROPOSAL, hash, { ...proposal, change: { kind: 'validator.leave', address }, approved: null }),
      'b531687b6f45a893eae176ea08109358',
    ],
    [
      'a proposal of a weight',
      sample(PROPOSAL, hash, { ...proposal, change: { kind: 'validator.weight', address, weight: 2 } }),
      '32d75e52556fd66a0d689c6ff85b1af0',
    ],
    [
      'a proposal to forgive',
      sample(PROPOSAL, hash, { ...proposal, change: { kind: 'validator.rehabilitate', address } }),
      '34451923cbf1149971fa43a43e29c5cd',
    ],
    [
      'a proposal of a parameter',
      sample(PROPOSAL, hash, { ...proposal, change: { kind: 'parameters.change', name: 'epochMs', value: 2 } }),
      '411ab5e94f4f45471c5161574eff889e',
    ],
    ['the list of proposals', sample(PROPOSALS, null, [hash, address]), 'ad84349b62dbaf1280fa376cfdf4f838'],
    ['an offence', sample(OFFENCE, 3, { ...offence, provenHeight: 4, bodyHash: hash, operation: 5 }), '49291a87404c0a37a5401d15e4497a45'],
    ['the number of an offence', sample(OFFENCE_NUMBER, offence, { number: 3 }), '0ffb188cf33bcdbb6f7f5ea66c939cd0'],
    ['participation', sample(PARTICIPATION, null, counted), '273319a0dd15705ced1576ae7c15a980'],
    [
      'an account',
      sample(ACCOUNT, address, { publicKey, sponsor: hash, retired: { publicKey, untilMs: 3 } }),
      'b15ccf79745ffd83d22d444c0d4f3442',
    ],
  ])('%s', (_, { kind, identity, value }, pinned) => {
    const codec: Codec<unknown> = kind.codec;
    const bytes = codec.encode(value);
    expect(codec.decode(bytes)).toEqual({ ok: true, value });
    expect(digest(Uint8Array.from([...kind.stateKey(identity), ...bytes]))).toBe(pinned);
  });
});
