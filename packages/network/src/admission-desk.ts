import type { Connection, Stream } from '@libp2p/interface';
import { type Clock, type Timer, utf8 } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { type AdmissionOptions, type AdmissionRefusal, type Candidate, negotiateAdmission } from './admission.ts';
import { ADMISSION_BYTES_MAX } from './admission-messages.ts';
import { FrameStream } from './frame-stream.ts';
import type { LinkSecurities } from './link-security.ts';
import type { LinkTable } from './link-table.ts';
import type { Counters, RefusalReason } from './network-counters.ts';
import type { NetworkLimits } from './network-limits.ts';
import type { PeerGate } from './peer-gate.ts';
import type { PeerLink } from './peer-link.ts';
import type { Refusals } from './refusals.ts';
import type { Scoreboard } from './scoreboard.ts';

export const ADMISSION_PROTOCOL = '/nacre/1/admission';
export const LANE_PROTOCOL = '/nacre/1/lane';

interface AdmissionDeskOptions {
  readonly admission: AdmissionOptions;
  readonly limits: NetworkLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly refusals: Refusals;
  readonly links: LinkTable;
  readonly gate: PeerGate;
  readonly scoreboard: Scoreboard;
  readonly securities: LinkSecurities;
  /** Peer ids; null admits any follower. */
  readonly followerAllowlist: ReadonlySet<string> | null;
  /** Puts an admitted connection and its lane to work. */
  readonly admit: (connection: Connection, candidate: Candidate, lane: Stream) => PeerLink;
}

/**
 * How long a refused peer has to read why and close, in ms. libp2p's own closing discards what it has not sent yet, so the
 * peer closes first, or this is over.
 */
const FAREWELL_MS = 1_000;

/** A connection between its handshake and its lane. */
interface Pending {
  readonly connection: Connection;
  readonly timer: Timer;
  /** Resolves once: with the link, or undefined when the connection was refused. */
  readonly outcome: PromiseWithResolvers<PeerLink | undefined>;
  /** Null until the dialogue starts, and it starts once. */
  dialogue: FrameStream | null;
  /** Resolves when the dialogue is over: undefined if one of the two refused. */
  readonly negotiated: PromiseWithResolvers<Candidate | undefined>;
  laneClaimed: boolean;
}

/** Where connections wait until both sides have proven who they are. Nothing else is served to them, and not for long. */
export class AdmissionDesk {
  readonly #options: AdmissionDeskOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #opening = Promise.withResolvers<void>();

  constructor(options: AdmissionDeskOptions) {
    this.#options = options;
  }

  /** Begins to let peers in. Those who came before wait, as long as anyone may be without admission. */
  open(): void {
    this.#opening.resolve();
  }

  /** A connection has been made. The side that dialled speaks first. */
  opened(connection: Connection): void {
    const { limits, clock } = this.#options;
    if (this.#pending.size >= limits.unadmittedMax) {
      this.#tell(connection, { code: 'TOO_MANY' });
      connection.abort(new Error('too many connections without admission'));
      return;
    }
    const pending: Pending = {
      connection,
      timer: clock.schedule(limits.admissionTimeoutMs, () => this.#refuse(pending, { code: 'TIMEOUT' })),
      outcome: Promise.withResolvers(),
      dialogue: null,
      negotiated: Promise.withResolvers(),
      laneClaimed: false,
    };
    this.#pending.set(connection.id, pending);
    connection.addEventListener('close', () => this.#refuse(pending, { code: 'CLOSED' }), { once: true });
    if (connection.direction === 'outbound') void this.#dial(pending);
  }

  /** The admitted connection, once it is; undefined if it was refused or is none of ours. */
  async linkOf(connection: Connection): Promise<PeerLink | undefined> {
    return this.#options.links.ofConnection(connection.id) ?? this.#pending.get(connection.id)?.outcome.promise;
  }

  /** The dialer has opened the dialogue. */
  async answerAdmission(stream: Stream, connection: Connection): Promise<void> {
    const pending = this.#pending.get(connection.id);
    if (pending === undefined || pending.dialogue !== null || connection.direction === 'outbound') {
      stream.abort(new Error('unexpected admission'));
      return;
    }
    const dialogue = new FrameStream(stream, ADMISSION_BYTES_MAX);
    pending.dialogue = dialogue;
    await Promise.race([this.#opening.promise, pending.outcome.promise]);
    if (this.#pending.has(connection.id)) await this.#negotiate(pending, dialogue);
  }

  /** The dialer has opened the stream of frames; it may arrive before our own end of the dialogue is over. */
  async answerLane(stream: Stream, connection: Connection): Promise<void> {
    const pending = this.#pending.get(connection.id);
    if (pending === undefined || pending.laneClaimed || connection.direction === 'outbound' || pending.dialogue === null) {
      stream.abort(new Error('unexpected lane'));
      return;
    }
    pending.laneClaimed = true;
    const candidate = await pending.negotiated.promise;
    if (candidate !== undefined) this.#admit(pending, candidate, stream);
  }

  async #dial(pending: Pending): Promise<void> {
    const { connection } = pending;
    try {
      const dialogue = new FrameStream(await connection.newStream(ADMISSION_PROTOCOL), ADMISSION_BYTES_MAX);
      pending.dialogue = dialogue;
      const candidate = await this.#negotiate(pending, dialogue);
      if (candidate !== undefined) this.#admit(pending, candidate, await connection.newStream(LANE_PROTOCOL));
    } catch (error) {
      // The connection broke, or what answers there is no node of ours.
      const reason = error instanceof Error ? error.message : String(error);
      this.#refuse(pending, { code: connection.status === 'open' ? 'MALFORMED' : 'CLOSED', reason });
    }
  }

  async #negotiate(pending: Pending, dialogue: FrameStream): Promise<Candidate | undefined> {
    const { admission, securities, links } = this.#options;
    const { connection } = pending;
    const admitted = await negotiateAdmission(admission, {
      dialogue,
      remotePeerId: utf8(connection.remotePeer.toString()),
      binding: securities.of(connection).binding,
      judge: (candidate) => {
        const welcome = links.welcomes(connection.remotePeer.toString(), candidate, connection.direction);
        return this.#judge(connection, candidate) ?? (welcome ? null : 'DUPLICATE');
      },
    });
    if (!admitted.ok) this.#refuse(pending, admitted.error);
    const candidate = admitted.ok ? admitted.value : undefined;
    pending.negotiated.resolve(candidate);
    return candidate;
  }

  /** Who may not be here, whatever connection it comes by. */
  #judge(connection: Connection, { claim, key }: Candidate): RefusalReason | null {
    const { gate, scoreboard, followerAllowlist, links, limits } = this.#options;
    const peerId = connection.remotePeer.toString();
    const claimed = claim === null ? null : formatAddress(claim);
    if (gate.blocks(peerId) || gate.blocks(claimed)) return 'BLOCKED';
    const follower = key === null;
    if (scoreboard.banned(follower ? peerId : (claimed as string))) return 'BANNED';
    if (follower && followerAllowlist !== null && !followerAllowlist.has(peerId)) return 'NOT_ALLOWED';
    if (follower && links.followersBeside(peerId) >= limits.followersMax) return 'TOO_MANY';
    return null;
  }

  #admit(pending: Pending, candidate: Candidate, lane: Stream): void {
    const { connection, outcome } = pending;
    // Another connection may have been admitted while this one's lane was on its way.
    const objection = this.#judge(connection, candidate);
    if (objection !== null) return this.#refuse(pending, { code: objection });
    const { remotePeer, direction } = connection;
    if (!this.#options.links.admits(remotePeer.toString(), candidate, direction)) return this.#refuse(pending, { code: 'DUPLICATE' });
    if (connection.status !== 'open' || lane.status !== 'open') return this.#refuse(pending, { code: 'CLOSED' });
    if (!this.#settle(pending)) return;
    this.#options.counters.count.admitted++;
    outcome.resolve(this.#options.admit(connection, candidate, lane));
  }

  #refuse(pending: Pending, refusal: AdmissionRefusal): void {
    if (!this.#settle(pending)) return;
    this.#tell(pending.connection, refusal);
    pending.outcome.resolve(undefined);
    void this.#farewell(pending, refusal);
  }

  async #farewell({ connection, dialogue }: Pending, refusal: AdmissionRefusal): Promise<void> {
    if (dialogue !== null && refusal.byPeer !== true && refusal.code !== 'CLOSED') {
      const timer = this.#options.clock.schedule(FAREWELL_MS, () => dialogue.fail({ code: 'TIMEOUT' }));
      await dialogue.ended();
      timer.cancel();
    }
    await endConnection(connection);
  }

  /** @returns whether this was the first end that it came to */
  #settle(pending: Pending): boolean {
    pending.timer.cancel();
    return this.#pending.delete(pending.connection.id);
  }

  #tell({ remotePeer, remoteAddr, direction }: Connection, refusal: AdmissionRefusal): void {
    const fields = { ...refusal, peerId: remotePeer.toString(), multiaddr: remoteAddr.toString(), direction };
    this.#options.refusals.refuse(refusal.code, fields);
  }
}

/** Closes in order, so that what was said last arrives, or at once if that takes too long. */
export async function endConnection(connection: Connection): Promise<void> {
  try {
    await connection.close();
  } catch (error) {
    connection.abort(error instanceof Error ? error : new Error(String(error)));
  }
}
