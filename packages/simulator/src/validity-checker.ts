import { type Hash, toHex, type Verifier } from '@nacre/base';
import { type ChainContext, VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import type { Block, Tip } from '@nacre/ledger';
import { EPOCH_MS } from './cluster.ts';
import type { Member } from './committee-book.ts';
import type { Report } from './violation.ts';

/** An honest block's time is at most so far ahead of true time, in ms: the genesis' precision, and by how much honest clocks are off here. */
const AHEAD_MS_MAX = 1_000;

interface SeenBlock {
  readonly hash: string;
  readonly timeMs: number;
}

export interface ValidityCheckerOptions {
  /** Who decides a height, in the committee's order. */
  readonly membersAt: (height: number) => readonly Member[];
  readonly chain: ChainContext;
  readonly genesisHash: Hash;
}

/**
 * What makes a decided block one that had to be decided: more than two thirds of the weight committed to it with true
 * signatures, it follows on its parent in place and time, and its time is not in the future. Counts for itself: no predicate of
 * the code under test is asked.
 */
export class ValidityChecker {
  readonly #options: ValidityCheckerOptions;
  readonly #verifier: Verifier;
  readonly #report: Report;
  readonly #blocks = new Map<number, SeenBlock>();
  readonly #certified = new Set<number>();

  constructor(options: ValidityCheckerOptions, dependencies: { readonly verifier: Verifier; readonly report: Report }) {
    this.#options = options;
    this.#verifier = dependencies.verifier;
    this.#report = dependencies.report;
    this.#blocks.set(0, { hash: toHex(options.genesisHash), timeMs: 0 });
  }

  /** Whether a decision at this height would tell anything new: reading a block back costs as much as checking it. */
  wants(height: number, certificate: Tip['certificate']): boolean {
    return !this.#blocks.has(height) || (certificate !== null && !this.#certified.has(height));
  }

  /** An honest node has decided a block, by this certificate if there is one of its own. */
  decided(node: number, block: Block, { certificate, nowMs }: { readonly certificate: Tip['certificate']; readonly nowMs: number }): void {
    const { height } = block.header;
    if (!this.#blocks.has(height)) {
      this.#place(node, block, nowMs);
      this.#blocks.set(height, { hash: toHex(block.hash), timeMs: block.header.timeMs });
    }
    if (certificate === null || this.#certified.has(height)) return;
    this.#certified.add(height);
    this.#count(node, block, certificate);
  }

  #place(node: number, { header }: Block, nowMs: number): void {
    const { height, timeMs } = header;
    const parent = this.#blocks.get(height - 1);
    const what = `block ${height} of node ${node}`;
    if (parent !== undefined && toHex(header.parentHash) !== parent.hash)
      this.#report('VALIDITY', `${what} names another parent than block ${height - 1}`);
    if (parent !== undefined && timeMs <= parent.timeMs)
      this.#report('VALIDITY', `${what} is of ${timeMs}, its parent of ${parent.timeMs}`);
    if (timeMs > EPOCH_MS + nowMs + AHEAD_MS_MAX)
      this.#report('VALIDITY', `${what} is of ${timeMs}, and it is ${Math.round(EPOCH_MS + nowMs)}`);
    const made = this.#options.membersAt(height).some(({ address }) => toHex(address) === toHex(header.proposer));
    if (!made) this.#report('VALIDITY', `${what} was made by nobody in the committee`);
  }

  #count(node: number, block: Block, { height, round, blockHash, commits }: NonNullable<Tip['certificate']>): void {
    const what = `the certificate of node ${node} for block ${block.header.height}`;
    if (height !== block.header.height || toHex(blockHash) !== toHex(block.hash))
      return this.#report('VALIDITY', `${what} is for another block`);
    const members = this.#options.membersAt(height);
    const totalWeight = members.reduce((sum, { weight }) => sum + weight, 0n);
    const signers = new Set(commits.map(({ validator }) => validator));
    let weight = 0n;
    for (const validator of signers) weight += members[validator]?.weight ?? 0n;
    if (3n * weight <= 2n * totalWeight) this.#report('VALIDITY', `${what} has weight ${weight} of ${totalWeight}`);
    const message = voteMessage(this.#options.chain, { height, round, kind: 'commit', blockHash });
    for (const { validator, signature } of commits) {
      const publicKey = members[validator]?.publicKey ?? new Uint8Array(0);
      void this.#verifier.verify({ publicKey, message, context: VOTE_CONTEXT, signature }).then((valid) => {
        if (!valid) this.#report('VALIDITY', `${what} holds a signature of ${validator} that is not one`);
      });
    }
  }
}
