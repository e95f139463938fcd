import { bytesEqual, type Hash, type Log, type Refusal, type Verifier } from '@nacre/base';
import { type Certificate, type ChainContext, type Committee, verifyCertificate } from '@nacre/consensus';
import {
  type Applied,
  type Block,
  blockHash,
  changesCommittee,
  decodeBlock,
  type Header,
  type Ledger,
  LedgerError,
  type Tip,
  type Transaction,
} from '@nacre/ledger';
import type { PeerRequests } from './peer-requests.ts';
import type { PeerTable, PeerView } from './peer-table.ts';
import { HEADERS_PER_REQUEST_MAX } from './wire.ts';

/** Blocks asked for in one request; the answer may hold fewer, as bytes allow. */
const BLOCKS_PER_REQUEST = 64;
/** Requests for blocks under way at once, over all peers. */
const REQUESTS_AT_ONCE_MAX = 4;

export interface BlockSyncDependencies {
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

/** Headers that follow on our tip, and the verified certificate of the last of them. */
interface CertifiedRange {
  readonly headers: readonly Header[];
  readonly certificate: Certificate;
}

/**
 * Catches up with the peers: a range of headers that one verified certificate vouches for by parent hashes, up to a change of committees at
 * most, then the blocks of that range from several peers at once, each checked against its header and executed in order. What is
 * applied stays, so it resumes by itself. Peers that lie or have nothing are dropped for as long as a run takes, and pay with their score if they lie.
 *
 * @see protocol, section 7
 */
export class BlockSync {
  readonly #dependencies: BlockSyncDependencies;
  #ended = false;
  #proving = false;
  #fruitless = false;
  /** Greatest height that verified certificates have shown to be decided since the last run, or begun: see `provenBy`. */
  #provenHeight = 0;
  /** The headers after those whose blocks are being applied, asked for meanwhile. */
  #next: { readonly peerId: string; readonly after: Hash; readonly range: Promise<CertifiedRange | null> } | null = null;

  constructor(dependencies: BlockSyncDependencies) {
    this.#dependencies = dependencies;
  }

  /** Greatest height that verified certificates have shown to be decided; 0 where nothing is to be caught up with. */
  get provenHeight(): number {
    return this.#provenHeight;
  }

  /** Whether the network has verifiably decided a height from which the consensus of our next one cannot reach us. */
  needed(): boolean {
    return this.#provenHeight > this.#dependencies.ledger.tip.height + 1;
  }

  /**
   * Asks those who claim to be far ahead, one after the other, for headers and a certificate. A claim must never do more
   * than that, or anyone could keep us from voting by claiming.
   *
   * @returns whether a sync is needed now
   */
  async prove(): Promise<boolean> {
    const { peers, ledger } = this.#dependencies;
    if (this.#proving) return false;
    this.#proving = true;
    const asked = new Set<string>();
    try {
      while (!this.#ended && !this.needed()) {
        const claimant = peers.beyond(ledger.tip.height + 2).find(({ peer }) => !asked.has(peer.id));
        if (claimant === undefined) break;
        asked.add(claimant.peer.id);
        const range = await this.#certifiedHeaders(claimant);
        if (range === null) claimant.fruitless++;
        else this.#provenHeight = Math.max(this.#provenHeight, provenBy(range));
      }
    } finally {
      this.#proving = false;
    }
    return this.needed();
  }

  /** Whether someone who claims to be ahead had no block to show for it since this was last asked: it may have a snapshot. */
  takeFruitless(): boolean {
    const was = this.#fruitless;
    this.#fruitless = false;
    return was;
  }

  end(): void {
    this.#ended = true;
  }

  /**
   * Runs until nobody is known to be ahead, or nobody who claims it can take us further.
   *
   * @returns `stuck` where there is verifiably more than anyone gives
   */
  async run(): Promise<'done' | 'stuck' | 'ended'> {
    const { peers, ledger, log } = this.#dependencies;
    const startHeight = ledger.tip.height;
    const useless = new Set<string>();
    while (!this.#ended) {
      const { height } = ledger.tip;
      const source = peers.beyond(height + 1).find(({ peer }) => !useless.has(peer.id));
      if (source === undefined) break;
      const range = await this.#certifiedHeaders(source);
      if (range !== null) {
        this.#provenHeight = Math.max(this.#provenHeight, provenBy(range));
        this.#askAhead(source, range);
        await this.#applyRange(range);
      }
      if (ledger.tip.height > height) source.fruitless = 0;
      else {
        source.fruitless++;
        useless.add(source.peer.id);
      }
    }
    this.#next = null;
    await ledger.settle();
    const stuck = this.needed();
    this.#provenHeight = 0;
    if (ledger.tip.height > startHeight) log.info({ from: startHeight + 1, to: ledger.tip.height }, 'caught up');
    return this.#ended ? 'ended' : stuck ? 'stuck' : 'done';
  }

  /** The next headers from one peer, checked back from the certificate of the last of them. Null, and its claim is gone, if they do not hold. */
  async #certifiedHeaders(claimant: PeerView): Promise<CertifiedRange | null> {
    const { ledger } = this.#dependencies;
    const { id } = claimant.peer;
    const { tip } = ledger;
    const next = this.#next;
    this.#next = null;
    const isAsked = next?.peerId === id && bytesEqual(next.after, tip.blockHash);
    const range = await (isAsked ? next.range : this.#askForHeaders(id, tip, ledger.committeeAt(tip.height + 1)));
    if (range === null) claimant.claimedHeight = 0; // Asked again only when it makes a new claim.
    return range;
  }

  /** Nobody can verify what comes after a change of committees before it is executed; within one, the next headers need not wait for it. */
  #askAhead({ peer, claimedHeight }: PeerView, { headers, certificate }: CertifiedRange): void {
    const { height, blockHash: after } = certificate;
    if (claimedHeight <= height + 1 || changesCommittee(headers.at(-1) as Header)) return;
    const committee = this.#dependencies.ledger.committeeAt((headers[0] as Header).height);
    const range = this.#askForHeaders(peer.id, { height, blockHash: after }, committee);
    range.catch(() => {}); // Awaited in its turn; until then a failure must not pass for an unhandled one.
    this.#next = { peerId: peer.id, after, range };
  }

  /** @param tip the block that they follow on, and `committee` who decides the next one: the ledger moves while the answer is on its way */
  async #askForHeaders(peerId: string, tip: Pick<Tip, 'height' | 'blockHash'>, committee: Committee): Promise<CertifiedRange | null> {
    const { requests, chain, verifier } = this.#dependencies;
    const answer = await requests.headers(peerId, tip.height + 1, HEADERS_PER_REQUEST_MAX);
    if (answer === null || answer.headers.length === 0 || answer.certificate === null) {
      this.#fruitless = true;
      return null;
    }
    const { headers, certificate } = answer;
    const refusal = unlinked(tip, headers, certificate);
    if (refusal !== null) {
      requests.penalize(peerId, refusal);
      return null;
    }
    const crossed = headers.findIndex((header, index) => changesCommittee(header) && index < headers.length - 1);
    if (crossed >= 0) {
      requests.penalize(peerId, { code: 'SYNC_COMMITTEE_CROSSED', height: tip.height + 1 + crossed });
      return null;
    }
    // Not that of the certificate's height, which is unknown here, but that of all these headers.
    const verified = await verifyCertificate({ committee, context: chain, certificate, verifier });
    if (verified.ok) return { headers, certificate };
    requests.penalize(peerId, verified.error);
    return null;
  }

  /** Fetches and applies the blocks of certified headers; returns early when no peer has them any more. */
  async #applyRange({ headers, certificate }: CertifiedRange): Promise<void> {
    const { ledger } = this.#dependencies;
    const first = ledger.tip.height + 1;
    /** Peers that gave nothing or something else; not asked again in this range. */
    const failed = new Set<string>();
    const chunks: Promise<readonly FetchedBlock[]>[] = [];
    const chunkCount = Math.ceil(headers.length / BLOCKS_PER_REQUEST);
    const start = (chunk: number): void => {
      const wanted = headers.slice(chunk * BLOCKS_PER_REQUEST, (chunk + 1) * BLOCKS_PER_REQUEST);
      const fetching = this.#fetchChunk(wanted, { chunk, failed });
      fetching.catch(() => {}); // Awaited in its turn; until then a failure must not pass for an unhandled one.
      chunks.push(fetching);
    };
    while (chunks.length < Math.min(REQUESTS_AT_ONCE_MAX, chunkCount)) start(chunks.length);
    for (let chunk = 0; chunk < chunkCount; chunk++) {
      const blocks = await (chunks[chunk] as Promise<readonly FetchedBlock[]>);
      if (chunks.length < chunkCount) start(chunks.length);
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
    if (!checked.ok) {
      const fields = { height: block.header.height, refusal: checked.error };
      throw LedgerError.damaged(`decided block ${block.header.height} does not execute here: ${checked.error.code}`, { fields });
    }
    await applied(await ledger.apply(checked.value, certificate, { deferrable: true }));
  }

  /** The blocks of consecutive certified headers, asking peer after peer until all are here or nobody has more. */
  async #fetchChunk(
    headers: readonly Header[],
    { chunk, failed }: { readonly chunk: number; readonly failed: Set<string> },
  ): Promise<readonly FetchedBlock[]> {
    const { peers, requests, ledger } = this.#dependencies;
    const fetched: FetchedBlock[] = [];
    // One certificate per range is kept verified, so that whoever asks us for headers finds one in every full range. A copy with
    // another one condemns nobody, because its giver may have been fed it inside a range; it is taken if there is no better.
    let unverified: FetchedBlock | null = null;
    const withUnverified = new Set<string>();
    while (fetched.length < headers.length && !this.#ended) {
      const next = headers[fetched.length] as Header;
      const able = peers.mostTrusted(peers.beyond(next.height).filter(({ peer }) => !failed.has(peer.id) && !withUnverified.has(peer.id)));
      const source = able[chunk % able.length];
      if (source === undefined) {
        if (unverified === null) break;
        fetched.push(unverified);
        unverified = null;
        withUnverified.clear();
        continue;
      }
      const { id } = source.peer;
      const answer = await requests.blocks(id, next.height, headers.length - fetched.length);
      const before = fetched.length;
      for (const given of answer?.blocks ?? []) {
        const header = headers[fetched.length];
        const fitting = header === undefined ? null : this.#fitting(header, given);
        if (fitting === null) {
          requests.penalize(id, { code: 'SYNC_BLOCK_FOREIGN', height: next.height });
          failed.add(id);
          break;
        }
        if (chunk === 0 && fetched.length === 0 && !(await ledger.verifyBlockSignatures(fitting.block)).ok) {
          unverified = fitting;
          withUnverified.add(id);
          break;
        }
        fetched.push(fitting);
      }
      if (fetched.length > before) withUnverified.clear();
      else if (!withUnverified.has(id)) {
        source.fruitless++;
        failed.add(id);
      }
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
      // Not `decode`: the block's limits are those of its epoch, and may be other ones than the tip's.
      const decoded = ledger.read(body);
      if (!decoded.ok || !bytesEqual(decoded.value.bodyHash, block.value.bodyHashes[i] as Uint8Array)) return null;
      transactions.push(decoded.value);
    }
    return { block: block.value, transactions };
  }
}

/**
 * A range ends where the committee changes, however near that is, and nobody here can verify what comes after. So the block that ends it
 * counts for the next height: only a network that works on that one could have shown it to us, asked because it claims to be further still.
 */
function provenBy({ headers, certificate }: CertifiedRange): number {
  const last = headers.at(-1) as Header;
  return certificate.height + (changesCommittee(last) ? 1 : 0);
}

/** Why the headers do not lead from our tip to the certificate; null if they do. */
function unlinked(tip: Pick<Tip, 'height' | 'blockHash'>, headers: readonly Header[], certificate: Certificate): Refusal | null {
  let parentHash = tip.blockHash;
  let height = tip.height;
  for (const header of headers) {
    height++;
    if (header.height !== height || !bytesEqual(header.parentHash, parentHash)) return { code: 'SYNC_HEADERS_UNLINKED', height };
    parentHash = blockHash(header);
  }
  if (certificate.height !== height || !bytesEqual(certificate.blockHash, parentHash)) return { code: 'SYNC_CERTIFICATE_FOREIGN', height };
  return null;
}
