import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex, utf8 } from '@nacre/base';
import type { Certificate, Equivocation, Lock, Proposal, RoundState, Vote } from '@nacre/consensus';
import { formatAddress } from '@nacre/crypto';
import {
  decodeBlock,
  formatCheckpoint,
  formatGenesis,
  type Genesis,
  genesisCheckpoint,
  type Header,
  type ServiceRecord,
} from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { PinnedChain } from '../support/pinned-chain.ts';

/** More than the pinned chain stores. */
const ENTRIES_MAX = 1000;

/** Things of every kind that is encoded somewhere, as they occur. */
export interface Seeds {
  readonly genesis: Genesis;
  /** Every value of the store of a small chain, its proofs, its files, and a transaction. */
  readonly artifacts: readonly Uint8Array[];
  readonly texts: readonly string[];
  readonly headers: readonly Header[];
  readonly records: readonly ServiceRecord[];
  readonly votes: readonly Vote[];
  readonly proposals: readonly Proposal[];
  readonly certificates: readonly Certificate[];
  readonly locks: readonly Lock[];
  readonly roundStates: readonly RoundState[];
  readonly equivocations: readonly Equivocation[];
}

const SIGNATURE = new Uint8Array(8).fill(5);

function hash(name: number): Uint8Array {
  return new Uint8Array(32).fill(name);
}

export async function makeSeeds(): Promise<Seeds> {
  const directory = await mkdtemp(join(tmpdir(), 'nacre-fuzz-'));
  try {
    let store: LevelStore | undefined;
    const chain = await PinnedChain.create(async (genesis) => {
      store = await LevelStore.open(join(directory, 'store'), { formatVersion: 1, genesisHash: genesis.hash });
      return store;
    });
    const entries = (await store?.scan({ gte: new Uint8Array(0), lt: Uint8Array.of(255), limit: ENTRIES_MAX })) ?? [];
    const pending = await chain.pendingTransaction();
    const proofs = await Promise.all(
      [{ index: 1 }, { key: 'low' }, { key: 'never' }].map((wanted) => chain.ledger.prove({ service: 'prices', ...wanted })),
    );
    const update = chain.ledger.lightUpdate();
    const records = await Promise.all(['low', 'high'].map((key) => chain.ledger.latest('prices', key)));
    await store?.close();
    const artifacts = [
      ...entries.map(({ value }) => value),
      pending.bytes,
      (await chain.transactionAboutValidators(consensusSeeds().equivocations)).bytes,
      ...proofs.flatMap((proof) => (proof.ok ? [proof.value] : [])),
      ...(update.ok ? [update.value.bytes] : []),
    ];
    const address = formatAddress(chain.genesis.committee.validators[0]?.address as Uint8Array);
    return {
      genesis: chain.genesis,
      artifacts,
      headers: artifacts.map(decodeBlock).flatMap((block) => (block.ok ? [block.value.header] : [])),
      records: records.filter((record) => record !== undefined),
      texts: [
        formatGenesis(chain.genesis),
        formatCheckpoint(genesisCheckpoint(chain.genesis)),
        address,
        '/ip4/127.0.0.1/tcp/9640',
        '{"rpc":{"port":8640}}',
        toHex(hash(1)),
        '0,1|2,3',
      ],
      ...consensusSeeds(),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function consensusSeeds(): Pick<Seeds, 'votes' | 'proposals' | 'certificates' | 'locks' | 'roundStates' | 'equivocations'> {
  const vote = (validator: number, round: number, blockHash: Uint8Array | null, kind: Vote['kind'] = 'prepare'): Vote => ({
    height: 7,
    round,
    kind,
    blockHash,
    validator,
    signature: SIGNATURE,
  });
  const proposal = (round: number, validRound: number, name: number): Proposal => ({
    height: 7,
    round,
    validRound,
    blockHash: hash(name),
    proposer: 1,
    signature: SIGNATURE,
  });
  const prepares = [0, 1, 3].map((validator) => vote(validator, 1, hash(1)));
  return {
    votes: [vote(0, 0, null), vote(99, 1_000_000, hash(2), 'commit')],
    proposals: [proposal(0, -1, 1), proposal(3, 2, 2)],
    certificates: [
      { height: 7, round: 1, blockHash: hash(1), commits: [0, 2, 3].map((validator) => ({ validator, signature: SIGNATURE })) },
    ],
    locks: [
      { lockedRound: -1, lockedHash: null, validRound: 1, validHash: hash(1), prepares },
      { lockedRound: 1, lockedHash: hash(1), validRound: 1, validHash: hash(1), prepares },
    ],
    roundStates: [
      {
        height: 7,
        round: 2,
        step: 'commit',
        working: true,
        hasProposal: true,
        votes: [
          { round: 2, kind: 'prepare', validators: [0, 2, 99] },
          { round: 2, kind: 'commit', validators: [] },
        ],
      },
    ],
    equivocations: [
      { kind: 'vote', validator: 2, first: vote(2, 1, null), second: vote(2, 1, hash(1)) },
      { kind: 'proposal', validator: 1, first: proposal(1, -1, 1), second: proposal(1, -1, 2) },
    ],
  };
}

/** Text as what a decoder of bytes gets. */
export function textBytes(texts: readonly string[]): Uint8Array[] {
  return texts.map(utf8);
}
