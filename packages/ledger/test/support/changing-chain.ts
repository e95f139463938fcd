import { type Hash, type Signer, ZERO_HASH } from '@nacre/base';
import { type Certificate, Committee, certificateFrom, minimalCertificate, VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import { addressOf } from '@nacre/crypto';
import { blockHash, createGenesis, type Genesis, type Header } from '@nacre/ledger';
import type { CertifiedHeader } from '../../src/certified-header.ts';
import { type CollectedLinks, CommitteeChanges, type LinkSource } from '../../src/committee-changes.ts';
import { FakeSigner } from './fake-keys.ts';
import { GENESIS_MS } from './test-chain.ts';

/** A validator: its address is that of the key of its name, whatever key it has by now. */
export interface Member {
  readonly name: string;
  /** Its key, where that is not its first. */
  readonly key?: string;
  readonly weight?: number;
}

/** The validators of an epoch, a name alone being a validator with the default weight. */
export type Members = readonly (string | Member)[];

interface Options {
  /** One for each epoch. */
  readonly epochs: readonly Members[];
  readonly blocksPerEpoch?: number;
  /** After every block; the proofs of a test prove something about it. */
  readonly stateRoot?: Uint8Array;
  readonly makeSigner?: (name: string) => Signer;
  /** Such as of another network with the same validators. */
  readonly network?: string;
  /** A byte that makes every block another one. */
  readonly variant?: number;
}

const WEIGHT = 1000;
const BLOCK_MS = 1000;

/** Headers made by hand, whose committee changes from epoch to epoch as a test wants it, and the keys to decide any of them. */
export class ChangingChain implements LinkSource {
  readonly genesis: Genesis;
  readonly changes: CommitteeChanges;
  readonly #committees: readonly Committee[];
  readonly #signers: ReadonlyMap<string, Signer>;
  readonly #blocks: readonly CertifiedHeader[];
  readonly #blocksPerEpoch: number;

  private constructor(parts: {
    genesis: Genesis;
    committees: readonly Committee[];
    signers: ReadonlyMap<string, Signer>;
    blocks: readonly CertifiedHeader[];
    blocksPerEpoch: number;
  }) {
    this.genesis = parts.genesis;
    this.#committees = parts.committees;
    this.#signers = parts.signers;
    this.#blocks = parts.blocks;
    this.#blocksPerEpoch = parts.blocksPerEpoch;
    this.changes = new CommitteeChanges(this);
  }

  static async create({
    epochs,
    blocksPerEpoch = 3,
    stateRoot = ZERO_HASH,
    makeSigner = (name) => new FakeSigner(name),
    network = 'changing',
    variant = 0,
  }: Options): Promise<ChangingChain> {
    const signers = new Map<string, Signer>();
    const signerOf = (name: string): Signer => {
      const signer = signers.get(name) ?? makeSigner(name);
      signers.set(name, signer);
      return signer;
    };
    const validatorsOf = (members: Members) =>
      members.map((member) => {
        const { name, key = name, weight = WEIGHT } = typeof member === 'string' ? { name: member } : member;
        return { address: addressOf('ml-dsa-44', signerOf(name).publicKey), publicKey: signerOf(key).publicKey, weight };
      });
    const committees = epochs.map((members) => {
      const committee = Committee.create(validatorsOf(members), { allowLargeWeights: true });
      if (!committee.ok) throw new Error(committee.error.code);
      return committee.value;
    });
    const validators = validatorsOf(epochs[0] as Members).map(({ publicKey, weight }) => ({ publicKey, weight }));
    const genesis = createGenesis({ network, timeMs: GENESIS_MS, scheme: 'ml-dsa-44', validators, allowLargeWeights: true });
    const byKey = new Map([...signers.values()].map((signer) => [String(signer.publicKey), signer]));
    const blocks: CertifiedHeader[] = [];
    for (let height = 1; height <= epochs.length * blocksPerEpoch; height++) {
      const epoch = Math.floor((height - 1) / blocksPerEpoch);
      const committee = committees[epoch] as Committee;
      const next = committees[Math.floor(height / blocksPerEpoch)] ?? committee;
      const parent = blocks.at(-1)?.header;
      const header: Header = {
        genesisHash: genesis.hash,
        chain: 0,
        epoch,
        height,
        timeMs: GENESIS_MS + height * BLOCK_MS,
        proposer: committee.validator(0).address,
        parentHash: parent === undefined ? genesis.hash : blockHash(parent),
        parentCertificateDigest: ZERO_HASH,
        transactionsRoot: new Uint8Array(32).fill(variant),
        stateRoot,
        committeeHash: committee.hash,
        nextCommitteeHash: next.hash,
        historyRoot: ZERO_HASH,
        chain0Reference: { height: 0, hash: ZERO_HASH },
        lateCommits: [],
      };
      blocks.push({ header, certificate: await certify(header, committee, { genesis, signers: byKey }) });
    }
    return new ChangingChain({ genesis, committees, signers: byKey, blocks, blocksPerEpoch });
  }

  get height(): number {
    return this.#blocks.length;
  }

  /** Height of the last block of an epoch. */
  lastOf(epoch: number): number {
    return (epoch + 1) * this.#blocksPerEpoch;
  }

  committee(epoch: number): Committee {
    return this.#committees[epoch] as Committee;
  }

  /** With everyone's commits. */
  block(height: number): CertifiedHeader {
    return this.#blocks[height - 1] as CertifiedHeader;
  }

  /** Commits of some validators of a committee, by default of all, for a header that may be one of the chain or not. */
  certify(header: Header, committee: Committee, validators?: readonly number[]): Promise<Certificate> {
    const { genesis } = this;
    return certify(header, committee, { genesis, signers: this.#signers, ...(validators === undefined ? {} : { validators }) });
  }

  links(range: { readonly fromHeight?: number; readonly toHeight?: number } = {}): CollectedLinks {
    return this.changes.links({ fromHeight: 0, toHeight: this.height, ...range });
  }

  epoch(epoch: number): { readonly firstHeight: number; readonly committee: Committee } | undefined {
    const committee = this.#committees[epoch];
    return committee && { firstHeight: epoch * this.#blocksPerEpoch + 1, committee };
  }

  epochOf(height: number): { readonly epoch: number } {
    return { epoch: Math.min(this.#committees.length - 1, Math.floor((height - 1) / this.#blocksPerEpoch)) };
  }

  committeeHash(epoch: number): Hash {
    return this.committee(epoch).hash;
  }

  headerAt(height: number): Header | undefined {
    return this.#blocks[height - 1]?.header;
  }

  linkCertificate(height: number): Certificate | undefined {
    const { header, certificate } = this.block(height);
    return minimalCertificate(this.committee(header.epoch), certificate);
  }
}

async function certify(
  header: Header,
  committee: Committee,
  options: { readonly genesis: Genesis; readonly signers: ReadonlyMap<string, Signer>; readonly validators?: readonly number[] },
): Promise<Certificate> {
  const { genesis, signers, validators = committee.validators.map((_, index) => index) } = options;
  const content = { height: header.height, round: 0, kind: 'commit' as const, blockHash: blockHash(header) };
  const message = voteMessage(genesis.context, content);
  return certificateFrom(
    await Promise.all(
      validators.map(async (validator) => {
        const signer = signers.get(String(committee.validator(validator).publicKey)) as Signer;
        return { ...content, validator, signature: await signer.sign(message, VOTE_CONTEXT) };
      }),
    ),
  );
}
