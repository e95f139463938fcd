import { bytesEqual, type Log, type Refusal, type Verifier } from '@nacre/base';
import { type Certificate, type ChainContext, verifyCertificate } from '@nacre/consensus';
import { type Applied, type Block, blockHash, decodeBlock, type Header, type Ledger, type Transaction } from '@nacre/ledger';
import type { PeerRequests } from './peer-requests.ts';
import type { PeerTable } from './peer-table.ts';
import { HEADERS_PER_REQUEST_MAX } from './wire.ts';

/** Blocks asked for in one request; the answer may hold fewer, as bytes allow. */
const BLOCKS_PER_REQUEST = 64;
/** Requests for blocks under way at once, over all peers. */
const REQUESTS_AT_ONCE_MAX = 4;

interface Dependencies {
  readonly chain: ChainContext;
  readonly ledger: Ledger;
  readonly peers: PeerTable;
  readonly requests: PeerRequests;
  readonly verifier: Verifier;
  readonly log: Log;
  /** Called after each block, before the next is applied. */
  readonly applied: (applied: Applied) => Promise<void>;
}

interface FetchedBlock {
  readonly block: Block;
  readonly transactions: readonly Transaction[];
}

/**
 * Catches up with the peers: a range of headers that one verified certificate vouches for by parent hashes, then the
 * blocks of that range from several peers at once, each checked against its header and executed in order. What is
 * applied stays, so it resumes by itself. Lying peers lose their claim to be ahead and pay with their score.
 *
 * @see protocol, section 7
 */
export class BlockSync {
  readonly #dependencies: Dependencies;
  #ended = false;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /** Whether a peer claims a height from which the consensus of the next height cannot reach us. */
  needed(): boolean {
    const { peers, ledger } = this.#dependencies;
    return peers.beyond(ledger.tip.height + 2).length > 0;
  }

  end(): void {
    this.#ended = true;
  }

  /** Runs until nobody is known to be ahead. */
  async run(): Promise<void> {
    const { peers, ledger, log } = this.#dependencies;
    const startHeight = ledger.tip.height;
    while (!this.#ended) {
      const ahead = peers.beyond(ledger.tip.height + 1);
      const source = ahead[0];
      if (source === undefined) break;
      const headers = await this.#certifiedHeaders(source.peer.id);
      if (headers === null) {
        source.claimedHeight = 0; // Whoever cannot back its claim is asked again only when it makes a new one.
        continue;
      }
      await this.#applyRange(headers);
    }
    if (ledger.tip.height > startHeight) log.info({ from: startHeight + 1, to: ledger.tip.height }, 'caught up');
  }

  /** The next headers from one peer, checked back from the certificate of the last of them. Null if they do not hold. */
  async #certifiedHeaders(peerId: string): Promise<{ headers: readonly Header[]; certificate: Certificate } | null> {
    const { requests, ledger, chain, verifier } = this.#dependencies;
    const from = ledger.tip.height + 1;
    const answer = await requests.headers(peerId, from, HEADERS_PER_REQUEST_MAX);
    if (answer === null || answer.headers.length === 0 || answer.certificate === null) return null;
    const { headers, certificate } = answer;
    const refusal = this.#linked(headers, certificate);
    if (refusal !== null) {
      requests.penalize(peerId, refusal);
      return null;
    }
    const committee = ledger.committeeAt(certificate.height);
    const verified = await verifyCertificate({ committee, context: chain, certificate, verifier });
    if (verified.ok) return { headers, certificate };
    requests.penalize(peerId, verified.error);
    return null;
  }

  #linked(headers: readonly Header[], certificate: Certificate): Refusal | null {
    const { tip } = this.#dependencies.ledger;
    let parentHash = tip.blockHash;
    let height = tip.height;
    for (const header of headers) {
      height++;
      if (header.height !== height || !bytesEqual(header.parentHash, parentHash)) return { code: 'SYNC_HEADERS_UNLINKED', height };
      parentHash = blockHash(header);
    }
    if (certificate.height !== height || !bytesEqual(certificate.blockHash, parentHash))
      return { code: 'SYNC_CERTIFICATE_FOREIGN', height };
    return null;
  }

  /** Fetches and applies the blocks of certified headers; returns early when no peer has them any more. */
  async #applyRange({ headers, certificate }: { headers: readonly Header[]; certificate: Certificate }): Promise<void> {
    const { ledger } = this.#dependencies;
    const first = ledger.tip.height + 1;
    const chunks: Promise<readonly FetchedBlock[]>[] = [];
    const chunkCount = Math.ceil(headers.length / BLOCKS_PER_REQUEST);
    const start = (chunk: number): Promise<readonly FetchedBlock[]> =>
      this.#fetchChunk(headers.slice(chunk * BLOCKS_PER_REQUEST, (chunk + 1) * BLOCKS_PER_REQUEST), chunk);
    for (let chunk = 0; chunk < Math.min(REQUESTS_AT_ONCE_MAX, chunkCount); chunk++) chunks.push(start(chunk));
    for (let chunk = 0; chunk < chunkCount; chunk++) {
      const blocks = await (chunks[chunk] as Promise<readonly FetchedBlock[]>);
      if (chunks.length < chunkCount) chunks.push(start(chunks.length));
      for (const { block, transactions } of blocks) {
        if (this.#ended) return;
        const last = block.header.height === certificate.height;
        await this.#apply(block, transactions, last ? certificate : null);
      }
      const expected = Math.min((chunk + 1) * BLOCKS_PER_REQUEST, headers.length);
      if (ledger.tip.height !== first + expected - 1) return;
    }
  }

  async #apply(block: Block, transactions: readonly Transaction[], certificate: Certificate | null): Promise<void> {
    const { ledger, applied } = this.#dependencies;
    const checked = ledger.check(block, transactions);
    // Two thirds of the weight decided this block on the state that we hold: only our own bug or disk can refuse it.
    if (!checked.ok) throw new Error(`decided block ${block.header.height} does not execute here: ${JSON.stringify(checked.error)}`);
    await applied(await ledger.apply(checked.value, certificate));
  }

  /** The blocks of consecutive certified headers, asking peer after peer until all are here or nobody has more. */
  async #fetchChunk(headers: readonly Header[], chunk: number): Promise<readonly FetchedBlock[]> {
    const { peers, requests, ledger } = this.#dependencies;
    const fetched: FetchedBlock[] = [];
    const failed = new Set<string>();
    while (fetched.length < headers.length && !this.#ended) {
      const next = headers[fetched.length] as Header;
      const able = peers.beyond(next.height).filter(({ peer }) => !failed.has(peer.id));
      const source = able[chunk % able.length];
      if (source === undefined) break;
      const answer = await requests.blocks(source.peer.id, next.height, headers.length - fetched.length);
      const before = fetched.length;
      for (const given of answer?.blocks ?? []) {
        const header = headers[fetched.length];
        const fitting = header === undefined ? null : this.#fitting(header, given);
        // One certificate per range is kept verified, so that whoever asks us for headers finds one in every full range.
        const signed = fitting !== null && (chunk > 0 || fetched.length > 0 || (await ledger.verifyBlockSignatures(fitting.block)).ok);
        if (fitting === null || !signed) {
          requests.penalize(source.peer.id, { code: 'SYNC_BLOCK_FOREIGN', height: next.height });
          failed.add(source.peer.id);
          break;
        }
        fetched.push(fitting);
      }
      if (fetched.length === before) failed.add(source.peer.id);
    }
    return fetched;
  }

  /** The given block with its transactions if it is the one that the certified header names, else null. */
  #fitting(header: Header, given: { readonly block: Uint8Array; readonly bodies: readonly Uint8Array[] }): FetchedBlock | null {
    const { ledger } = this.#dependencies;
    const block = decodeBlock(given.block);
    if (!block.ok || !bytesEqual(block.value.hash, blockHash(header)) || given.bodies.length !== block.value.bodyHashes.length) return null;
    const transactions: Transaction[] = [];
    for (const [i, body] of given.bodies.entries()) {
      const decoded = ledger.decode(body);
      if (!decoded.ok || !bytesEqual(decoded.value.bodyHash, block.value.bodyHashes[i] as Uint8Array)) return null;
      transactions.push(decoded.value);
    }
    return { block: block.value, transactions };
  }
}
