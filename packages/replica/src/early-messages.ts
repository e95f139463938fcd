import { FRAME_BYTES_MAX, SIGNATURE_BYTES_MAX } from '@nacre/base';
import type { PeerView } from './peer-table.ts';
import type { Message } from './wire.ts';

/** Messages kept per peer for the height that we do not drive yet. Beyond: dropped; repair brings them again. */
const EARLY_PER_PEER_MAX = 64;
/** Their bytes per peer: none of them is verified, and one alone may be as large as a frame. Beyond: dropped. */
const EARLY_BYTES_PER_PEER_MAX = 2 * FRAME_BYTES_MAX;

export interface EarlyMessage {
  readonly view: PeerView;
  readonly message: Extract<Message, { kind: 'proposal' | 'votes' }>;
  readonly arrivalMs: number;
}

/** Peers are often a moment ahead: what they say of the next height waits here instead of being asked for again. */
export class EarlyMessages {
  readonly #byPeer = new Map<string, { height: number; readonly early: EarlyMessage }[]>();

  add(height: number, early: EarlyMessage): void {
    const { id } = early.view.peer;
    const waiting = this.#byPeer.get(id) ?? [];
    const bytes = waiting.reduce((sum, one) => sum + bytesOf(one.early), bytesOf(early));
    if (waiting.length >= EARLY_PER_PEER_MAX || bytes > EARLY_BYTES_PER_PEER_MAX) return;
    waiting.push({ height, early });
    this.#byPeer.set(id, waiting);
  }

  /** Hands out what is for `height` and forgets what is for earlier ones. */
  take(height: number): EarlyMessage[] {
    const taken: EarlyMessage[] = [];
    for (const [id, waiting] of this.#byPeer) {
      taken.push(...waiting.filter((one) => one.height === height).map(({ early }) => early));
      const later = waiting.filter((one) => one.height > height);
      if (later.length === 0) this.#byPeer.delete(id);
      else this.#byPeer.set(id, later);
    }
    return taken;
  }

  drop(peerId: string): void {
    this.#byPeer.delete(peerId);
  }
}

/** At least what the message occupies. */
function bytesOf({ message }: EarlyMessage): number {
  const votes = message.kind === 'votes' ? message.votes : message.justification;
  return (message.kind === 'votes' ? 0 : message.block.length) + votes.length * SIGNATURE_BYTES_MAX;
}
