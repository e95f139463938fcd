import { parseAddress } from '@nacre/crypto';
import { isPeerId } from './multiaddrs.ts';
import { NetworkError } from './network-error.ts';

/** Peers blocked at a time. Beyond: `BLOCKED_TOO_MANY`. A committee, its followers, and as many again. */
const BLOCKED_MAX = 1_024;

/**
 * Whom the operator has shut out, by peer id or by validator address. Blocking closes what is open and refuses what is new in
 * both directions; a process forgets the list when it ends.
 */
export class PeerGate {
  readonly #blocked = new Set<string>();
  readonly #changed: (peer: string, blocked: boolean) => void;

  /** @param changed carries out what a change means for open connections and pending dials */
  constructor(changed: (peer: string, blocked: boolean) => void) {
    this.#changed = changed;
  }

  /**
   * @param peer a peer id or a validator's address, each in its usual text form
   * @throws {NetworkError} `PEER_UNKNOWN`, `BLOCKED_TOO_MANY`
   */
  block(peer: string): void {
    requireName(peer);
    if (this.#blocked.has(peer)) return;
    if (this.#blocked.size >= BLOCKED_MAX) {
      throw new NetworkError('BLOCKED_TOO_MANY', `${BLOCKED_MAX} peers are blocked already`, {
        fields: { blockedMax: BLOCKED_MAX },
        hint: 'Allow some of them first.',
      });
    }
    this.#blocked.add(peer);
    this.#changed(peer, true);
  }

  /**
   * Takes a peer off the list, and ends its ban if it has one.
   *
   * @throws {NetworkError} `PEER_UNKNOWN`
   */
  allow(peer: string): void {
    requireName(peer);
    this.#blocked.delete(peer);
    this.#changed(peer, false);
  }

  list(): string[] {
    return [...this.#blocked];
  }

  blocks(peer: string | null): boolean {
    return peer !== null && this.#blocked.has(peer);
  }
}

function requireName(peer: string): void {
  if (parseAddress(peer).ok || isPeerId(peer)) return;
  throw new NetworkError('PEER_UNKNOWN', `${JSON.stringify(peer)} is neither a peer id nor a validator's address`, {
    fields: { peer },
    hint: 'Peer ids start with 12D3Koo and addresses with nacre1; `nacre peers list` shows both.',
  });
}
