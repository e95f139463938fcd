import { type Address, bytesEqual, type Log, type Peer, type Signer, type Transport, toHex, type Verifier } from '@nacre/base';
import { type ChainContext, type Validator, VOTE_CONTEXT, type Vote, voteMessage } from '@nacre/consensus';
import type { Ledger, VoteJournal } from '@nacre/ledger';
import type { InstanceGuard } from './instance-guard.ts';
import type { PeerView } from './peer-table.ts';
import { holdsVote } from './restore.ts';
import { encodeMessage, type Message } from './wire.ts';

interface Dependencies {
  readonly chain: ChainContext;
  readonly guard: InstanceGuard;
  readonly ledger: Ledger;
  readonly transport: Transport;
  readonly verifier: Verifier;
  readonly log: Log;
  /** Null for a follower. */
  readonly identity: { readonly signer: Signer; readonly journal: VoteJournal } | null;
}

/** Speaks for this process's instance, answers those of others, and confronts each with what its key has voted. */
export class TwinWatch {
  readonly #dependencies: Dependencies;
  /** The last vote seen of each validator, by address; at most one per committee member. */
  readonly #latestVotes = new Map<string, Vote>();

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /** Remembers a verified vote. */
  voteSeen(validator: Address, vote: Vote): void {
    const key = toHex(validator);
    const known = this.#latestVotes.get(key);
    if (known === undefined || isLater(vote, known)) this.#latestVotes.set(key, vote);
  }

  /** Asks a validator to stand behind this process, unless it does. Whoever is not in the committee has nothing to claim. */
  claim(peer: Peer): void {
    const { identity, guard } = this.#dependencies;
    if (identity === null || peer.validator === undefined || guard.isAcknowledgedBy(peer.id) || this.#place() === null) return;
    this.#send(peer.id, { kind: 'instance', instance: guard.instance });
  }

  answer(view: PeerView, instance: Uint8Array): void {
    const { guard, log } = this.#dependencies;
    const { id, validator } = view.peer;
    // No offence: at the border of two epochs a validator that joins or has left is a block ahead of us, or behind.
    if (validator === undefined) return;
    const accepted = guard.claim(id, validator, instance);
    if (!accepted) log.warn({ validator: toHex(validator) }, 'second process with one validator key refused');
    const latest = this.#latestVotes.get(toHex(validator));
    this.#send(id, { kind: 'instance-answer', instance, accepted, votes: latest === undefined ? [] : [latest] });
  }

  /** @returns a vote of ours that the journal has forgotten, if the peer holds one; otherwise the peer's answer counts */
  async takeAnswer(view: PeerView, answer: Extract<Message, { kind: 'instance-answer' }>): Promise<Vote | null> {
    const { guard } = this.#dependencies;
    const { id, validator } = view.peer;
    if (validator === undefined || !bytesEqual(answer.instance, guard.instance)) return null;
    for (const vote of answer.votes) if (await this.#isForgotten(vote)) return vote;
    if (answer.accepted) guard.acknowledged(id, validator);
    return null;
  }

  /** Whether a vote carries our signature above what we applied, yet our journal does not know it. */
  async #isForgotten(vote: Vote): Promise<boolean> {
    const { identity, ledger, chain, verifier } = this.#dependencies;
    if (identity === null || identity.journal.doubt !== null) return false;
    if (vote.height <= ledger.tip.height || vote.height <= identity.journal.floorHeight) return false;
    const message = voteMessage(chain, vote);
    for (const publicKey of this.#votingKeys(identity.signer)) {
      const signed = { publicKey, message, context: VOTE_CONTEXT, signature: vote.signature };
      if (await verifier.verify(signed)) return !holdsVote(identity.journal, vote);
    }
    return false;
  }

  /** While a key is being replaced, the old one votes and the new one signs everything else. */
  #votingKeys({ publicKey }: Signer): Uint8Array[] {
    const voting = this.#place()?.publicKey ?? publicKey;
    return bytesEqual(voting, publicKey) ? [publicKey] : [voting, publicKey];
  }

  /** Ours in the committee of the next height, if it has us. */
  #place(): Validator | null {
    const { guard, ledger } = this.#dependencies;
    const committee = ledger.committeeAt(ledger.tip.height + 1);
    const index = guard.self === null ? null : committee.indexOf(guard.self);
    return index === null ? null : committee.validator(index);
  }

  #send(peerId: string, message: Message): void {
    this.#dependencies.transport.send(peerId, encodeMessage(message));
  }
}

/** By height, then round, then prepares before commits: the order in which one process votes. */
function isLater(a: Vote, b: Vote): boolean {
  if (a.height !== b.height) return a.height > b.height;
  if (a.round !== b.round) return a.round > b.round;
  return a.kind === 'commit' && b.kind === 'prepare';
}
