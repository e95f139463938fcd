import { assert, fail, type Hash, keyOf, ok, type Refusal, type Result } from '@nacre/base';
import type { Block, Candidate, Transaction } from '@nacre/ledger';
import type { HeightContext } from './height-driver.ts';

/**
 * Candidates of one height kept in memory. Beyond: the oldest leaves; it is on disk and is read back and checked again
 * if it is decided after all.
 */
const CANDIDATES_KEPT = 16;
/** Blocks of one height being fetched and checked at once. Beyond: only blocks that a quorum names are taken on. */
const CHECKING_MAX = 16;
/** Pause before peers are asked again for a block or body that nobody had, in ms. */
const RETRY_MS = 200;

interface Desk {
  /** The block was executed (valid) or refused (invalid). It is not yet durable: await `durable` before naming it in a vote. */
  checked(hash: Hash, valid: boolean): void;
  failed(error: unknown): void;
  isEnded(): boolean;
}

interface Held {
  readonly candidate: Candidate;
  /** Resolves when the block with its bodies is synced. */
  readonly durable: Promise<void>;
}

/** Where blocks of one height come from: fetched, completed with their bodies, checked, made durable, kept until decided. */
export class BlockDesk {
  readonly #height: number;
  readonly #context: HeightContext;
  readonly #desk: Desk;
  readonly #held = new Map<string, Held>();
  readonly #refused = new Set<string>();
  readonly #checking = new Set<string>();

  constructor(height: number, context: HeightContext, desk: Desk) {
    this.#height = height;
    this.#context = context;
    this.#desk = desk;
  }

  isKnown(hash: Hash): boolean {
    const key = keyOf(hash);
    return this.#held.has(key) || this.#refused.has(key) || this.#checking.has(key);
  }

  /** Brings a block here: from `known.block`, the store or a peer. Tells the desk when it is checked; asking twice is harmless. */
  obtain(hash: Hash, known: { readonly block: Block | null; readonly source: string | null }): void {
    const key = keyOf(hash);
    if (this.isKnown(hash)) return;
    if (known.block !== null && this.#checking.size >= CHECKING_MAX) return;
    this.#checking.add(key);
    this.#bring(hash, known.block, known.source)
      .catch((error: unknown) => this.#desk.failed(error))
      .finally(() => this.#checking.delete(key));
  }

  /** Takes in a block that we made ourselves, and begins to store it. */
  keep(candidate: Candidate): void {
    this.#hold(candidate);
  }

  /** The compact block, checked or being decided on, to be shown to a peer. */
  block(hash: Hash): Block | undefined {
    return this.#held.get(keyOf(hash))?.candidate.block ?? this.#context.ledger.loadBlock(hash)?.block;
  }

  async durable(hash: Hash): Promise<void> {
    const held = this.#held.get(keyOf(hash));
    if (held !== undefined) return held.durable;
    assert(this.#context.ledger.hasBlock(hash), 'a vote names only blocks that were checked here');
  }

  /** A checked block, read back from the store if it has left memory. */
  async candidate(hash: Hash): Promise<Candidate> {
    const held = this.#held.get(keyOf(hash));
    if (held !== undefined) return held.candidate;
    const stored = this.#context.ledger.loadBlock(hash);
    assert(stored !== undefined, 'a block stays in the store until its height is decided');
    const checked = this.#context.ledger.check(stored.block, stored.transactions);
    assert(checked.ok, 'a block that was valid stays valid on the same parent');
    return this.#hold(checked.value, Promise.resolve()).candidate;
  }

  async #bring(hash: Hash, known: Block | null, source: string | null): Promise<void> {
    const stored = this.#context.ledger.loadBlock(hash);
    if (stored !== undefined) return this.#check(hash, stored.block, stored.transactions, Promise.resolve());
    let copy = known === null ? await this.#fetchBlock(hash) : { block: known, source };
    while (copy !== null && !this.#desk.isEnded()) {
      const { block } = copy;
      if (block.header.height !== this.#height) return this.#refuse(hash, { code: 'BLOCK_HEIGHT', height: block.header.height });
      if (await this.#hasGoodSignatures(block, copy.source)) return this.#take(hash, block, copy.source);
      // Nobody else will bring this block unasked: whoever proposed it has done so, and peers see that the proposal is here.
      copy = await this.#fetchBlock(hash);
    }
  }

  /** The header's hash does not cover the signatures beside it: a bad copy condemns who gave it, and another may be good. */
  async #hasGoodSignatures(block: Block, source: string | null): Promise<boolean> {
    const { ledger, transport, log } = this.#context;
    const signatures = await ledger.verifyBlockSignatures(block);
    if (signatures.ok) return true;
    if (source !== null) transport.penalize(source, signatures.error);
    log.debug({ height: this.#height, code: signatures.error.code }, 'block refused for a bad signature beside it');
    return false;
  }

  async #take(hash: Hash, block: Block, source: string | null): Promise<void> {
    if (this.#desk.isEnded()) return;
    const completed = await this.#complete(block, source);
    if (completed === null || this.#desk.isEnded()) return;
    if (!completed.ok) return this.#refuse(hash, completed.error);
    this.#check(hash, block, completed.value, null);
  }

  #check(hash: Hash, block: Block, transactions: readonly Transaction[], durable: Promise<void> | null): void {
    if (this.#desk.isEnded()) return;
    const checked = this.#context.ledger.check(block, transactions);
    if (!checked.ok) return this.#refuse(hash, checked.error);
    this.#hold(checked.value, durable);
    this.#desk.checked(hash, true);
  }

  #refuse(hash: Hash, refusal: Refusal): void {
    this.#context.log.warn({ height: this.#height, code: refusal.code }, 'block refused');
    this.#refused.add(keyOf(hash));
    this.#desk.checked(hash, false);
  }

  #hold(candidate: Candidate, durable?: Promise<void> | null): Held {
    const held: Held = { candidate, durable: durable ?? this.#save(candidate) };
    // Whoever must wait for it sees the failure too; here it only must not pass unseen.
    held.durable.catch((error: unknown) => this.#desk.failed(error));
    this.#held.set(keyOf(candidate.blockHash), held);
    if (this.#held.size > CANDIDATES_KEPT) {
      const [key, oldest] = this.#held.entries().next().value as [string, Held];
      // Only what is on the disk may leave memory. A write that fails ends the height anyway.
      oldest.durable.then(
        () => this.#held.delete(key),
        () => {},
      );
    }
    return held;
  }

  /** Bodies that the mempool has had stored are not looked up, one by one, to learn that they are there. */
  #save(candidate: Candidate): Promise<void> {
    const { ledger, mempool } = this.#context;
    return ledger.saveCandidate(candidate, (bodyHash) => mempool.isStored(bodyHash) ?? ledger.hasBody(bodyHash));
  }

  async #fetchBlock(hash: Hash): Promise<{ readonly block: Block; readonly source: string } | null> {
    for (;;) {
      for (const source of this.#context.requests.order(null)) {
        if (this.#desk.isEnded()) return null;
        const block = await this.#context.requests.block(source, hash);
        if (block !== null) return { block, source };
      }
      if (this.#desk.isEnded()) return null;
      await this.#pause();
    }
  }

  /**
   * The bodies that a compact block lists: what is pending or stored here, the rest from peers, the sender first.
   *
   * @returns the transactions, a refusal that condemns the block, or null when the height ended first
   */
  async #complete(block: Block, source: string | null): Promise<Result<readonly Transaction[]> | null> {
    const { ledger, mempool, requests } = this.#context;
    if (block.bodyHashes.length > ledger.parameters.blockTransactionsMax)
      return fail({ code: 'BLOCK_TOO_LARGE', transactions: block.bodyHashes.length });
    const bodies = new Map<string, Transaction>();
    const unverified: Transaction[] = [];
    let missing: Hash[] = [];
    for (const hash of block.bodyHashes) {
      const pending = mempool.withBody(hash);
      const body = pending === undefined ? ledger.body(hash) : undefined;
      const decoded = body === undefined ? undefined : ledger.read(body);
      if (pending !== undefined) bodies.set(keyOf(hash), pending);
      else if (decoded?.ok) {
        bodies.set(keyOf(hash), decoded.value);
        unverified.push(decoded.value);
      } else missing.push(hash);
    }
    while (missing.length > 0) {
      const before = missing.length;
      for (const peerId of requests.order(source)) {
        if (this.#desk.isEnded()) return null;
        for (const transaction of await requests.bodies(peerId, missing)) {
          bodies.set(keyOf(transaction.bodyHash), transaction);
          unverified.push(transaction);
        }
        missing = missing.filter((hash) => !bodies.has(keyOf(hash)));
        if (missing.length === 0) break;
      }
      if (missing.length === before) await this.#pause();
      if (this.#desk.isEnded()) return null;
    }
    const verdicts = await ledger.verifySignatures(unverified);
    if (verdicts.includes(false)) return fail({ code: 'TRANSACTION_SIGNATURE', height: this.#height });
    return ok(block.bodyHashes.map((hash) => bodies.get(keyOf(hash)) as Transaction));
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#context.clock.schedule(RETRY_MS, resolve);
    });
  }
}
