import { bytesEqual, type Hash, type Verifier } from '@nacre/base';
import { type Certificate, type ChainContext, verifyCertificate } from '@nacre/consensus';
import type { Header, Ledger, PartName, Snapshots } from '@nacre/ledger';
import type { Mempool } from './mempool.ts';
import {
  ANSWER_BYTES_MAX,
  ANSWER_ITEM_OVERHEAD_BYTES,
  type BlocksAnswer,
  type BodiesAnswer,
  decodeRequest,
  encodeAnswer,
  type HeadersAnswer,
  PARTS_ANSWER_BYTES,
  SNAPSHOTS_PER_ANSWER_MAX,
} from './wire.ts';

/** Verdicts over kept certificates that are remembered, one boolean each. Beyond: forgotten and verified anew. */
const VERDICTS_MAX = 4096;

interface Sources {
  readonly chain: ChainContext;
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly snapshots: Snapshots;
  readonly verifier: Verifier;
}

/** Answers peers' questions from what is stored here. */
export class Serving {
  readonly #sources: Sources;
  /** By height: whether the certificate kept there verifies. After a sync some may not: only the signers are certain. */
  readonly #verdicts = new Map<number, boolean>();

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  /** @returns undefined for a question that makes no sense */
  async answer(frame: Uint8Array): Promise<Uint8Array | undefined> {
    const request = decodeRequest(frame);
    if (!request.ok) return undefined;
    switch (request.value.kind) {
      case 'block':
        return encodeAnswer('block', { block: this.#sources.ledger.blockByHash(request.value.hash)?.bytes ?? null });
      case 'bodies':
        return encodeAnswer('bodies', this.#bodies(request.value.hashes));
      case 'headers':
        return encodeAnswer('headers', await this.#certifiedHeaders(request.value.from, request.value.count));
      case 'blocks':
        return encodeAnswer('blocks', this.#blocks(request.value.from, request.value.count));
      case 'snapshots':
        return encodeAnswer('snapshots', { manifests: (await this.#sources.snapshots.list()).slice(0, SNAPSHOTS_PER_ANSWER_MAX) });
      case 'snapshot-parts':
        return encodeAnswer('snapshot-parts', { parts: this.#snapshotParts(request.value.height, request.value.names) });
    }
  }

  /** Only of a snapshot that is whole: what is being fetched may be false. */
  #snapshotParts(height: number, names: readonly PartName[]): Uint8Array[] {
    const { snapshots } = this.#sources;
    const parts: Uint8Array[] = [];
    if (snapshots.manifest(height) === undefined) return parts;
    let bytes = 0;
    for (const name of names) {
      const part = bytes < PARTS_ANSWER_BYTES ? snapshots.part(height, name) : undefined;
      if (part === undefined) break;
      parts.push(part);
      bytes += part.length;
    }
    return parts;
  }

  #bodies(hashes: readonly Hash[]): BodiesAnswer {
    const { ledger, mempool } = this.#sources;
    const found: Uint8Array[] = [];
    let bytes = 0;
    for (const hash of hashes) {
      const body = mempool.withBody(hash)?.bytes ?? ledger.body(hash);
      if (body === undefined) continue;
      bytes += body.length + ANSWER_ITEM_OVERHEAD_BYTES;
      if (bytes > ANSWER_BYTES_MAX) break;
      found.push(body);
    }
    return { bodies: found };
  }

  /** Headers up to the last one in the range whose kept certificate verifies. */
  async #certifiedHeaders(from: number, count: number): Promise<HeadersAnswer> {
    const { ledger } = this.#sources;
    let certificate: Certificate | null = null;
    let last = this.#lastUnderOneCommittee(from, Math.min(from + count - 1, ledger.tip.height));
    for (; last >= from && certificate === null; last--) certificate = await this.#verifiedCertificate(last);
    if (certificate === null) return { headers: [], certificate: null };
    const headers: Header[] = [];
    for (let height = Math.max(from, 1); height <= certificate.height; height++) {
      const header = ledger.headerAt(height);
      if (header === undefined) return { headers: [], certificate: null };
      headers.push(header);
    }
    return { headers, certificate };
  }

  /** Whoever asks can verify nothing beyond a change of committees before it has executed the block that makes it. */
  #lastUnderOneCommittee(from: number, last: number): number {
    const { ledger } = this.#sources;
    // Heights within one epoch have one committee, so only the ends of epochs are looked at.
    for (let epoch = ledger.epochOf(from); epoch !== undefined; epoch = ledger.epoch(epoch.epoch + 1)) {
      const next = ledger.epoch(epoch.epoch + 1);
      if (next === undefined || next.firstHeight > last) return last;
      if (!bytesEqual(next.committee.hash, epoch.committee.hash)) return next.firstHeight - 1;
    }
    return last;
  }

  async #verifiedCertificate(height: number): Promise<Certificate | null> {
    const { ledger, chain, verifier } = this.#sources;
    const link = ledger.linkCertificate(height);
    if (link !== undefined) return link;
    if (height < 1 || this.#verdicts.get(height) === false) return null;
    const certificate = ledger.certificateAt(height) ?? null;
    if (certificate === null || this.#verdicts.get(height) === true) return certificate;
    const verified = await verifyCertificate({ committee: ledger.committeeAt(height), context: chain, certificate, verifier });
    // The tip's certificate is still to be replaced by the canonical one.
    if (height < ledger.tip.height) this.#remember(height, verified.ok);
    return verified.ok ? certificate : null;
  }

  #remember(height: number, verified: boolean): void {
    this.#verdicts.set(height, verified);
    if (this.#verdicts.size > VERDICTS_MAX) this.#verdicts.delete(this.#verdicts.keys().next().value as number);
  }

  #blocks(from: number, count: number): BlocksAnswer {
    const { ledger } = this.#sources;
    const found: BlocksAnswer['blocks'][number][] = [];
    let bytes = 0;
    for (let height = from; height < from + count && height <= ledger.tip.height; height++) {
      const block = ledger.blockAt(height);
      if (block === undefined) break;
      const bodies: Uint8Array[] = [];
      bytes += block.bytes.length + ANSWER_ITEM_OVERHEAD_BYTES;
      for (const hash of block.bodyHashes) {
        const body = ledger.body(hash);
        if (body === undefined) return { blocks: found };
        bytes += body.length + ANSWER_ITEM_OVERHEAD_BYTES;
        bodies.push(body);
      }
      if (bytes > ANSWER_BYTES_MAX) break;
      found.push({ block: block.bytes, bodies });
    }
    return { blocks: found };
  }
}
