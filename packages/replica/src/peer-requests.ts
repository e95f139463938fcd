import { bytesEqual, type Hash, keyOf, type Refusal, type Transport } from '@nacre/base';
import { type Block, decodeBlock, type Ledger, type PartName, type SnapshotManifest, type Transaction } from '@nacre/ledger';
import type { PeerTable } from './peer-table.ts';
import {
  ANSWER_BYTES_MAX,
  type Answer,
  type BlocksAnswer,
  BODIES_PER_REQUEST_MAX,
  decodeAnswer,
  encodeRequest,
  type HeadersAnswer,
  type Request,
} from './wire.ts';

interface Dependencies {
  readonly transport: Transport;
  readonly ledger: Ledger;
  readonly peers: PeerTable;
  readonly requestTimeoutMs: number;
}

/** The questions a replica asks its peers. An answer that cannot be read costs the peer; a missing one is just none. */
export class PeerRequests {
  readonly #dependencies: Dependencies;
  /** Moves the first choice from peer to peer, so that requests spread. */
  #turn = 0;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /** Whom to ask, in order: `first` if connected, then everyone else in turn. */
  order(first: string | null): string[] {
    const ids = [...this.#dependencies.peers.all()].map(({ peer }) => peer.id);
    this.#turn++;
    const rotated = ids.map((_, i) => ids[(i + this.#turn) % ids.length] as string);
    return first !== null && ids.includes(first) ? [first, ...rotated.filter((id) => id !== first)] : rotated;
  }

  /** @returns the compact block with that hash, or null if the peer did not give it */
  async block(peerId: string, hash: Hash): Promise<Block | null> {
    const answer = await this.#ask(peerId, { kind: 'block', hash });
    if (answer === null || answer.block === null) return null;
    const decoded = decodeBlock(answer.block);
    if (decoded.ok && bytesEqual(decoded.value.hash, hash)) return decoded.value;
    this.penalize(peerId, decoded.ok ? { code: 'BLOCK_UNASKED' } : decoded.error);
    return null;
  }

  /** @returns those of the wanted transactions that the peer gave: each decodes and has one of the hashes asked for */
  async bodies(peerId: string, hashes: readonly Hash[]): Promise<Transaction[]> {
    const asked = hashes.slice(0, BODIES_PER_REQUEST_MAX);
    const answer = await this.#ask(peerId, { kind: 'bodies', hashes: asked });
    if (answer === null) return [];
    const wanted = new Set(asked.map(keyOf));
    const transactions: Transaction[] = [];
    for (const body of answer.bodies) {
      // Whether it keeps within the limits is for whoever asked: the block that lists it is judged, and not the peer that has it.
      const decoded = this.#dependencies.ledger.read(body);
      // Each hash is struck off when it was served, so that a peer cannot make us decode one body many times.
      if (!decoded.ok || !wanted.delete(keyOf(decoded.value.bodyHash))) {
        this.penalize(peerId, { code: 'BODY_UNASKED' });
        break;
      }
      transactions.push(decoded.value);
    }
    return transactions;
  }

  async headers(peerId: string, from: number, count: number): Promise<HeadersAnswer | null> {
    return this.#ask(peerId, { kind: 'headers', from, count });
  }

  async blocks(peerId: string, from: number, count: number): Promise<BlocksAnswer | null> {
    return this.#ask(peerId, { kind: 'blocks', from, count });
  }

  /** @returns the snapshots that the peer says it has; null if it did not answer */
  async snapshots(peerId: string): Promise<readonly SnapshotManifest[] | null> {
    return (await this.#ask(peerId, { kind: 'snapshots' }))?.manifests ?? null;
  }

  /** @returns as many of the parts, from the first one on, as the peer gave */
  async snapshotParts(peerId: string, height: number, names: readonly PartName[]): Promise<readonly Uint8Array[]> {
    return (await this.#ask(peerId, { kind: 'snapshot-parts', height, names }))?.parts ?? [];
  }

  penalize(peerId: string, offence: Refusal): void {
    this.#dependencies.transport.penalize(peerId, offence);
  }

  async #ask<Kind extends Request['kind']>(peerId: string, request: Extract<Request, { kind: Kind }>): Promise<Answer<Kind> | null> {
    const { transport, requestTimeoutMs } = this.#dependencies;
    const limits = { timeoutMs: requestTimeoutMs, answerBytesMax: ANSWER_BYTES_MAX };
    const answer = await transport.request(peerId, encodeRequest(request), limits);
    if (!answer.ok) return null;
    const decoded = decodeAnswer<Kind>(request.kind, answer.value);
    if (decoded.ok) return decoded.value;
    this.penalize(peerId, decoded.error);
    return null;
  }
}
