import { type Clock, fail, type Hash, type Lane, ok, type Result, type StoreOperation, type Transport } from '@nacre/base';
import type { Ledger, Transaction, TransactionStatus } from '@nacre/ledger';
import { AdmissionPace } from './admission-pace.ts';
import type { Mempool } from './mempool.ts';
import type { PeerView } from './peer-table.ts';
import { encodeMessage, TRANSACTIONS_PER_FRAME_MAX } from './wire.ts';

/** Transactions of one peer being verified at once. Beyond: its further ones are dropped; whoever admitted them sends them again. */
const VERIFYING_PER_PEER_MAX = 4096;
/**
 * Undecided transactions sent again at once, ten times a second: about 1.3 MB/s to each peer. More than a network can decide may be pending;
 * without this bound it would spend itself on hearing the same again (measured: 2.5 GB for 50 MB of records).
 */
const RESENT_MAX = { count: 64, bytes: 128 * 1024 };
/** The same while blocks are full: what waits for room is known to the others already, and hearing it again takes the time that the room needs. */
const RESENT_WHEN_FULL_MAX = { count: 4, bytes: 16 * 1024 };
/** Bytes of transactions gathered into one frame, well below what a frame may hold. */
const FRAME_FILL_BYTES = 1024 * 1024;
const EVERYONE: readonly Lane[] = ['committee', 'gossip'];

export type SubmissionStatus = TransactionStatus | { readonly status: 'admitted' } | { readonly status: 'unknown' };
export type Admission = Result<{ readonly txId: Hash; readonly validUntilMs: number }>;

interface Dependencies {
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly clock: Clock;
  readonly transport: Transport;
  /** Something new is pending. */
  readonly work: () => void;
}

/** Where transactions come in, from clients and from peers, and are checked before they wait for a block. */
export class TransactionDesk {
  readonly #dependencies: Dependencies;
  readonly #pace: AdmissionPace;
  /** Admitted in this very turn, with others that were synced together, and not sent yet. */
  #admitted: Transaction[] = [];

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
    this.#pace = new AdmissionPace(dependencies);
  }

  /**
   * Takes what a client hands in, as fast as the network decides: see `AdmissionPace`.
   *
   * @returns ok once the transaction is fsynced here; then it is on its way to everyone
   */
  submit(envelope: Uint8Array, alongside: readonly StoreOperation[] = []): Promise<Admission> {
    const { ledger, mempool } = this.#dependencies;
    const admit = async (): Promise<Admission> => {
      const decoded = ledger.decode(envelope);
      return decoded.ok ? this.admit(decoded.value, alongside) : decoded;
    };
    return this.#pace.run<Admission>(envelope.length, admit, () =>
      fail({ code: 'MEMPOOL_FULL', count: mempool.count, bytes: mempool.bytes }),
    );
  }

  /** Call after every block. */
  decided(nowMs: number): void {
    this.#pace.decided(nowMs);
  }

  /** Call as time goes by, and with an infinite time at the end. */
  tick(nowMs: number): void {
    this.#pace.tick(nowMs);
  }

  async admit(transaction: Transaction, alongside: readonly StoreOperation[] = []): Promise<Admission> {
    const { ledger, mempool, clock, work } = this.#dependencies;
    const admissible = ledger.admissible(transaction, clock.nowMs());
    if (!admissible.ok) return admissible;
    const [valid] = await ledger.verifySignatures([transaction]);
    if (valid !== true) return fail({ code: 'SIGNATURE_INVALID', account: transaction.contents.account });
    const admitted = await mempool.admit(transaction, clock.nowMs(), alongside);
    if (!admitted.ok) return admitted;
    this.#offer(transaction);
    work();
    return ok({ txId: transaction.txId, validUntilMs: transaction.contents.validUntilMs });
  }

  /** Takes what a peer passes on. */
  async hear(view: PeerView, bodies: readonly Uint8Array[]): Promise<void> {
    const { ledger, mempool, clock, transport, work } = this.#dependencies;
    const fresh: Transaction[] = [];
    for (const body of bodies) {
      const decoded = ledger.decode(body);
      if (!decoded.ok) {
        // Around a change of the parameters, a peer at another height goes by other limits: no reason to blame it.
        if (ledger.read(body).ok) continue;
        return transport.penalize(view.peer.id, decoded.error);
      }
      if (mempool.has(decoded.value.txId) || !ledger.includable(decoded.value, clock.nowMs()).ok) continue;
      fresh.push(decoded.value);
    }
    const taken = fresh.slice(0, VERIFYING_PER_PEER_MAX - view.verifying);
    if (taken.length === 0) return;
    view.verifying += taken.length;
    const verdicts = await ledger.verifySignatures(taken);
    view.verifying -= taken.length;
    if (verdicts.includes(false)) transport.penalize(view.peer.id, { code: 'SIGNATURE_INVALID' });
    const heard = taken.filter((transaction, i) => verdicts[i] === true && mempool.hear(transaction, clock.nowMs()));
    if (heard.length === 0) return;
    // Validators send theirs to every validator; what comes from anyone else is passed on once.
    if (view.peer.validator === undefined) this.#send(heard, ['committee']);
    work();
  }

  /** Offers again what was acknowledged here and is still undecided: whoever lost it gets it back. */
  resend(nowMs: number, intervalMs: number): void {
    const { mempool } = this.#dependencies;
    this.#send(mempool.dueForSending(nowMs, intervalMs, mempool.waitsForRoom ? RESENT_WHEN_FULL_MAX : RESENT_MAX), EVERYONE);
    mempool.storeHeard(nowMs);
  }

  /** What one sync has made durable is answered in one go, and goes out in one frame. */
  #offer(transaction: Transaction): void {
    if (this.#admitted.push(transaction) > 1) return;
    queueMicrotask(() => {
      this.#send(this.#admitted, EVERYONE);
      this.#admitted = [];
    });
  }

  status(txId: Hash): SubmissionStatus {
    const { ledger, mempool } = this.#dependencies;
    return ledger.transactionStatus(txId) ?? { status: mempool.has(txId) ? 'admitted' : 'unknown' };
  }

  #send(transactions: readonly Transaction[], lanes: readonly Lane[]): void {
    let bodies: Uint8Array[] = [];
    let bytes = 0;
    const flush = (): void => {
      if (bodies.length === 0) return;
      const frame = encodeMessage({ kind: 'transactions', bodies });
      for (const lane of lanes) this.#dependencies.transport.broadcast(lane, frame, 'bulk');
      bodies = [];
      bytes = 0;
    };
    for (const transaction of transactions) {
      bodies.push(transaction.bytes);
      bytes += transaction.bytes.length;
      if (bytes >= FRAME_FILL_BYTES || bodies.length === TRANSACTIONS_PER_FRAME_MAX) flush();
    }
    flush();
  }
}
