import type { Clock, Transport } from '@nacre/base';
import type { RoundState } from '@nacre/consensus';
import type { Ledger } from '@nacre/ledger';
import { EarlyMessages } from './early-messages.ts';
import type { HeightContext, HeightDriver } from './height-driver.ts';
import { takeLateVotes } from './late-votes.ts';
import type { PeerView } from './peer-table.ts';
import type { ReachWatch } from './reach-watch.ts';
import type { TransactionDesk } from './transaction-desk.ts';
import type { TwinWatch } from './twin-watch.ts';
import { decodeMessage, encodeMessage, type Message } from './wire.ts';

interface Dependencies {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly ledger: Ledger;
  readonly transactions: TransactionDesk;
  readonly twins: TwinWatch;
  readonly reach: ReachWatch;
  readonly context: HeightContext;
  /** The height at hand; null between two of them and while blocks are fetched. */
  readonly driver: () => HeightDriver | null;
  /** A decided block for whoever lacks just that one; null if it is not here. */
  readonly decidedFrame: (height: number) => Uint8Array | null;
  readonly instanceAnswer: (view: PeerView, answer: Extract<Message, { kind: 'instance-answer' }>) => Promise<void>;
  /** A peer claims to be ahead: see whether that is so. */
  readonly checkClaims: () => Promise<void>;
  /** Work on a peer's behalf that nobody waits for. */
  readonly spawn: (work: Promise<void>) => void;
}

/** What peers say unasked: decoded, bounded, and handed to the part that verifies it; what is for the next height waits. */
export class Inbox {
  readonly #repairIntervalMs: number;
  readonly #dependencies: Dependencies;
  readonly #early = new EarlyMessages();

  constructor({ repairIntervalMs }: { readonly repairIntervalMs: number }, dependencies: Dependencies) {
    this.#repairIntervalMs = repairIntervalMs;
    this.#dependencies = dependencies;
  }

  receive(view: PeerView, frame: Uint8Array): void {
    const { clock, transport } = this.#dependencies;
    view.heard = true;
    const arrivalMs = clock.nowMs();
    const decoded = decodeMessage(frame);
    if (!decoded.ok) return transport.penalize(view.peer.id, decoded.error);
    this.#dispatch(view, decoded.value, arrivalMs);
  }

  /** Call when the driver of a height is there: it gets what came early for it. */
  open(height: number): void {
    for (const early of this.#early.take(height)) this.#dispatch(early.view, early.message, early.arrivalMs);
  }

  /** Forgets what waits of a peer that has gone. */
  drop(peerId: string): void {
    this.#early.drop(peerId);
  }

  #dispatch(view: PeerView, message: Message, arrivalMs: number): void {
    const { transactions, twins, reach, instanceAnswer, spawn } = this.#dependencies;
    switch (message.kind) {
      case 'proposal':
        return this.#onProposal(view, message, arrivalMs);
      case 'votes':
        return this.#onVotes(view, message, arrivalMs);
      case 'round-state':
        return this.#onRoundState(view, message.state);
      case 'transactions':
        return spawn(transactions.hear(view, message.bodies));
      case 'decided':
        return this.#onDecided(view, message);
      case 'instance':
        return twins.answer(view, message.instance);
      case 'instance-answer':
        return spawn(instanceAnswer(view, message));
      case 'reach':
        return reach.onReach(view, message);
    }
  }

  #onProposal(view: PeerView, message: Extract<Message, { kind: 'proposal' }>, arrivalMs: number): void {
    const { ledger, spawn } = this.#dependencies;
    const { height } = message.proposal;
    const driver = this.#dependencies.driver();
    const current = ledger.tip.height + 1;
    if (height === driver?.height) return spawn(driver.onProposal(view, message, arrivalMs));
    if (height === current || height === current + 1) this.#early.add(height, { view, message, arrivalMs });
  }

  #onVotes(view: PeerView, message: Extract<Message, { kind: 'votes' }>, arrivalMs: number): void {
    const { ledger, context, spawn } = this.#dependencies;
    const driver = this.#dependencies.driver();
    const current = ledger.tip.height + 1;
    const late = message.votes.filter(({ height }) => height < current);
    if (late.length > 0) spawn(takeLateVotes(view, late, context));
    const now = message.votes.filter(({ height }) => height === driver?.height);
    if (driver !== null && now.length > 0) spawn(driver.onVotes(view, now));
    for (const height of [current, current + 1]) {
      if (height === driver?.height) continue;
      const votes = message.votes.filter((vote) => vote.height === height);
      if (votes.length > 0) this.#early.add(height, { view, message: { kind: 'votes', votes }, arrivalMs });
    }
  }

  #onRoundState(view: PeerView, state: RoundState): void {
    const { clock, transport, checkClaims, decidedFrame, spawn } = this.#dependencies;
    view.claimedHeight = state.height;
    const driver = this.#dependencies.driver();
    if (driver === null) return;
    spawn(checkClaims());
    const nowMs = clock.nowMs();
    if (state.working && state.height === driver.height) driver.peerWorks();
    if (nowMs - view.repairedAtMs < this.#repairIntervalMs / 2) return;
    view.repairedAtMs = nowMs;
    if (state.height === driver.height) return driver.onRoundState(view, state);
    if (state.height === driver.height - 1) {
      const decided = decidedFrame(state.height);
      if (decided !== null) return transport.send(view.peer.id, decided);
    }
    // Behind by more, it will sync once it knows how far we are; ahead of us, it answers with what we lack.
    transport.send(view.peer.id, encodeMessage({ kind: 'round-state', state: driver.roundState() }));
  }

  #onDecided(view: PeerView, message: Extract<Message, { kind: 'decided' }>): void {
    const { checkClaims, spawn } = this.#dependencies;
    const { height } = message.certificate;
    const driver = this.#dependencies.driver();
    view.claimedHeight = Math.max(view.claimedHeight, height + 1);
    if (driver === null) return;
    spawn(height === driver.height ? driver.onDecided(view, message) : checkClaims());
  }
}
