import {
  type Address,
  assert,
  bytesEqual,
  fail,
  type Hash,
  keyOf,
  ok,
  type Refusal,
  type Result,
  type Store,
  type StoreOperation,
  type StoreView,
  toHex,
  type Verifier,
} from '@nacre/base';
import { type Certificate, type Committee, checkCertificate } from '@nacre/consensus';
import { appendToLog, ClockMap, type LogPeaks, leafHash } from '@nacre/crypto';
import { checkAdmission } from './admission.ts';
import type { Block } from './block.ts';
import { BlockExecution } from './block-execution.ts';
import { BlockStore } from './block-store.ts';
import { checkBlock } from './check-block.ts';
import { CommittedState } from './committed-state.ts';
import { decisionOperations } from './decision-operations.ts';
import { EpochBook } from './epoch-book.ts';
import type { EpochInfo } from './epoch-info.ts';
import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import { genesisState } from './genesis-state.ts';
import { changesCommittee, type Header } from './header.ts';
import type { BlockPlace } from './header-rules.ts';
import { tipKey } from './keys.ts';
import type {
  Applied,
  Candidate,
  LedgerDependencies,
  ProofQuestion,
  ProofStart,
  ProposedCandidate,
  ProposeRequest,
  RecordQuery,
  Tip,
  TransactionStatus,
} from './ledger-types.ts';
import type { EncodedLightUpdate } from './make-proof.ts';
import { type ChainParameters, PROTOCOL_VERSION_MAX } from './parameters.ts';
import { proposeBlock } from './propose-block.ts';
import { Prover } from './prover.ts';
import type { ServiceRecord } from './record.ts';
import { type RecordPage, RecordStore } from './record-store.ts';
import { Snapshots } from './snapshots.ts';
import {
  ACCOUNT,
  type Account,
  PARTICIPATION,
  type Participation,
  RECORD_LOG,
  RECOVERY,
  type RecordLog,
  type Recovery,
  SERVICE,
  type Service,
} from './state-kinds.ts';
import { expiredStatusCodec, readStatus } from './status.ts';
import { StoredBlocks } from './stored-blocks.ts';
import { historyTiles, readTip, verifyTail } from './stored-tail.ts';
import { type StoredTip, storedTipCodec } from './tip.ts';
import { decodeTransaction, readTransaction, type Transaction } from './transaction.ts';
import { ValidatorSet } from './validator-set.ts';
import { verifyBlockSignatures } from './verify-block-signatures.ts';
import { verifyTransaction } from './verify-transaction.ts';

/** About 200 bytes each. Beyond, the store is asked again. */
const NOT_INCLUDED_KEPT_MAX = 16_384;

/**
 * The chain as this node has decided it: its blocks, the state after the last one, and what may come next.
 *
 * `propose` and `check` execute the next block on an overlay and give a candidate; `saveCandidate` makes it durable before it is voted for;
 * `apply` makes the decided one the tip. Methods that read a damaged store throw `LedgerError`, `StoreError` or `CryptoError`.
 */
export class Ledger extends StoredBlocks {
  readonly #store: Store;
  readonly #verifier: Verifier;
  readonly #records: RecordStore;
  #state!: CommittedState;
  #epochs!: EpochBook;
  #prover!: Prover;
  #tip!: Tip;
  /** RFC 6962 root over all headers up to the tip. */
  #historyRoot!: Hash;
  /** Of the same log; read from its tiles while undefined. */
  #historyPeaks: LogPeaks | undefined;
  /** Ids that the store was asked for and has in no block, up to the tip. */
  #notIncluded!: ClockMap<string, true>;
  /** While a block is being written: between the store's change and the tip's, nothing is executed or proven. */
  #applying: Promise<void> | null = null;

  private constructor(dependencies: LedgerDependencies, blocks: BlockStore, stored: StoredTip, header: Header | null) {
    super(dependencies.genesis, blocks);
    this.#store = dependencies.store;
    this.#verifier = dependencies.verifier;
    this.#records = new RecordStore(dependencies.store, blocks);
    this.#takeUp(stored, header);
  }

  #takeUp(stored: StoredTip, header: Header | null): void {
    this.#state = new CommittedState(this.#store, stored.stateRoot);
    this.#epochs = new EpochBook(this.#state, this.genesis);
    this.#notIncluded = new ClockMap(NOT_INCLUDED_KEPT_MAX);
    this.#prover = new Prover({
      state: this.#state,
      records: this.#records,
      tip: () => this.#tip,
      applying: () => this.#applying,
      committeeAt: (height) => this.committeeAt(height),
      epoch: (epoch) => this.epoch(epoch),
      epochOf: (height) => this.epochOf(height),
      committeeHash: (epoch) => this.#epochs.committeeHash(epoch),
      headerAt: (height) => this.headerAt(height),
      linkCertificate: (height) => this.linkCertificate(height),
    });
    this.#historyRoot = stored.historyRoot;
    this.#historyPeaks = undefined;
    this.#tip = tipOf(stored, header, this.genesis);
  }

  /**
   * Opens the chain that the store holds, or begins it in an empty one. What was applied without a sync before a crash may be missing; the
   * blocks are then decided or fetched again.
   *
   * @throws {LedgerError} codes `LEDGER_DAMAGED`, `LEDGER_FOREIGN`, `PROTOCOL_UNKNOWN`
   */
  static async open(dependencies: LedgerDependencies): Promise<Ledger> {
    const { genesis, store, verifier, log } = dependencies;
    const blocks = new BlockStore(genesis, store);
    await new Snapshots(dependencies).finishAdoption();
    let stored = readTip(store);
    if (stored === undefined) {
      const { tip, operations } = genesisState(genesis);
      await store.write(operations, { sync: true });
      stored = tip;
    }
    const header = await verifyTail(stored, { genesis, store, blocks, verifier });
    const ledger = new Ledger(dependencies, blocks, stored, header);
    ledger.requireKnownProtocol();
    log.info({ height: stored.height, blockHash: toHex(stored.blockHash) }, 'ledger opened');
    return ledger;
  }

  get tip(): Tip {
    return this.#tip;
  }

  /** The store as of the tip, for whoever reads a state that stays as it is. Null while a block is being written. */
  freeze(): { readonly tip: Tip; readonly view: StoreView } | null {
    return this.#applying === null ? { tip: this.#tip, view: this.#store.view() } : null;
  }

  /**
   * Lets a snapshot be written over the state, and goes on from its block. If that fails, nothing here is of use any more until it is opened anew.
   *
   * @param write see `Snapshots.adopt`
   */
  async adopt(write: () => Promise<void>): Promise<void> {
    assert(this.#applying === null, 'a snapshot is taken over between two blocks');
    const { genesis } = this;
    const adopting = write().then(async () => {
      const stored = readTip(this.#store);
      assert(stored !== undefined && stored.height >= this.#tip.height, 'a snapshot leads on');
      this.#takeUp(stored, await verifyTail(stored, { genesis, store: this.#store, blocks: this.blocks, verifier: this.#verifier }));
      this.requireKnownProtocol();
    });
    this.#applying = adopting.catch(() => undefined);
    await adopting.finally(() => {
      this.#applying = null;
    });
  }

  /** Settles when the block that is being written is; null while none is, and then what is read at once fits together. */
  get applying(): Promise<void> | null {
    return this.#applying;
  }

  /** Everything that decides whether the next block is valid; another object as soon as a value is another. */
  get parameters(): ChainParameters {
    return this.#epochs.current.parameters;
  }

  /** An epoch that has begun, the one of the next block included; undefined for any later one. */
  epoch(epoch: number): EpochInfo | undefined {
    const isKnown = Number.isSafeInteger(epoch) && epoch >= 0 && epoch <= this.#epochs.current.info.epoch;
    return isKnown ? this.#epochs.at(epoch) : undefined;
  }

  /** The epoch of a height; undefined above that of the next block, because any block may be the last of its epoch. */
  epochOf(height: number): EpochInfo | undefined {
    return height >= 0 && height <= this.#tip.height + 1 ? this.#epochs.of(height) : undefined;
  }

  /** Who decides the block of a height that `epochOf` knows. @throws {LedgerError} code `HEIGHT_UNKNOWN` */
  committeeAt(height: number): Committee {
    const epoch = this.epochOf(height);
    if (epoch === undefined) throw LedgerError.heightUnknown(height, this.#tip.height);
    return epoch.committee;
  }

  /** Who will decide after the epoch of the next block, unless somebody is quarantined before: time to get connected. */
  nextEpoch(): { readonly epoch: number; readonly committee: Committee } {
    return { epoch: this.#epochs.current.info.epoch + 1, committee: this.#epochs.scheduled() };
  }

  /** The validator set as decided so far, open proposals, offences, and what a change would lead to. */
  get validatorSet(): ValidatorSet {
    return new ValidatorSet(this.genesis, this.#epochs, this.#state, this.#tip.timeMs);
  }

  /**
   * Whoever would go on by rules that it does not know, would go on alone.
   *
   * @throws {LedgerError} code `PROTOCOL_UNKNOWN` if the next block belongs to an epoch of newer rules
   */
  requireKnownProtocol(): void {
    const { parameters, info } = this.#epochs.current;
    const { protocolVersion } = parameters;
    if (protocolVersion <= PROTOCOL_VERSION_MAX) return;
    throw LedgerError.protocolUnknown({ protocolVersion, known: PROTOCOL_VERSION_MAX, epoch: info.epoch });
  }

  /** By the parameters in force: see `decodeTransaction`. */
  decode(bytes: Uint8Array): Result<Transaction, Refusal> {
    return decodeTransaction(bytes, this.genesis, this.parameters);
  }

  /** Whatever limits are in force: see `readTransaction`. For what certified headers or this node's own store name. */
  read(bytes: Uint8Array): Result<Transaction, Refusal> {
    return readTransaction(bytes, this.genesis);
  }

  /** Whether a decoded transaction may wait here for a block: see `checkAdmission`. Its signature is for `verifySignatures`. */
  admissible(transaction: Transaction, nowMs: number): Result<void, Refusal> {
    // A clock behind the chain must not admit what the chain already refuses.
    return checkAdmission(transaction, this.#execution(Math.max(nowMs, this.#tip.timeMs + 1)));
  }

  /**
   * Whether the next block may hold a decoded transaction, if only to record that it failed. What peers pass on waits by this rule: the node
   * that acknowledged it may have judged by an older block, and its client is owed an end before the time runs out.
   */
  includable(transaction: Transaction, nowMs: number): Result<void, Refusal> {
    const admitted = this.#execution(Math.max(nowMs, this.#tip.timeMs + 1)).admit(transaction);
    return admitted.ok ? ok(undefined) : admitted;
  }

  /**
   * Verifies signatures with the keys of the tip's state, those inside of operations included; one verdict per transaction, false also for
   * unknown accounts and keys.
   */
  verifySignatures(transactions: readonly Transaction[]): Promise<boolean[]> {
    const account = (address: Address) => this.account(address);
    const epochOf = (height: number) => this.epochOf(height);
    const verifying = { context: this.genesis.context, verifier: this.#verifier, account, epochOf };
    return Promise.all(transactions.map((transaction) => verifyTransaction(transaction, verifying)));
  }

  /** Makes a block on the tip. Deterministic in its arguments and the tip. */
  propose(request: ProposeRequest): ProposedCandidate {
    assert(this.#applying === null, 'nothing is proposed while the height is being decided');
    return proposeBlock(request, {
      ...this.#place(),
      execution: this.#execution(request.timeMs),
      decidedHash: (at) => this.blocks.hashAt(at),
    });
  }

  /** Executes someone's block on the tip: see `checkBlock`. A candidate of a height that is being applied is refused as `HEIGHT_DECIDED`. */
  check(block: Block, transactions: readonly Transaction[]): Result<Candidate, Refusal> {
    if (this.#applying !== null) return fail({ code: 'HEIGHT_DECIDED', height: block.header.height });
    return checkBlock(block, transactions, { ...this.#place(), execution: this.#execution(block.header.timeMs) });
  }

  /** The signatures beside a block's header. A refusal condemns this copy of the block, never the hash. */
  verifyBlockSignatures(block: Block): Promise<Result<void, Refusal>> {
    const { genesis } = this;
    const epochOf = (height: number) => this.epochOf(height);
    const decidedHash = (height: number) => this.blocks.hashAt(height);
    return verifyBlockSignatures(block, { genesis, verifier: this.#verifier, epochOf, decidedHash });
  }

  /**
   * Makes a candidate durable, bodies included: the sync that precedes every vote for it.
   *
   * @param isStored whether the store has taken a body already, if only unsynced; who knows it without asking the store saves a read for each
   */
  async saveCandidate(
    { block, transactions }: Candidate,
    isStored: (bodyHash: Hash) => boolean = (bodyHash) => this.hasBody(bodyHash),
  ): Promise<void> {
    await this.#store.write(this.blocks.saveOperations(block, transactions, isStored), { sync: true });
  }

  /**
   * Makes a decided candidate the tip, in one write without a sync: a crash may lose it, and the block is then applied again.
   *
   * @param certificate verified; null while blocks are applied under the certificate of a later one
   * @param deferrable whether the store may carry out the write later: for blocks that follow one another; `settle` ends them
   */
  apply(candidate: Candidate, certificate: Certificate | null, { deferrable = false } = {}): Promise<Applied> {
    const { header } = candidate.block;
    assert(this.#applying === null, 'blocks are applied one after the other');
    assert(bytesEqual(header.parentHash, this.#tip.blockHash), 'a candidate is applied on the tip that it was executed on');
    assert(certificate !== null || !changesCommittee(header), 'whoever cannot know the next committee must be shown that this one left');
    if (certificate !== null) {
      const fits = certificate.height === header.height && bytesEqual(certificate.blockHash, candidate.blockHash);
      assert(fits && checkCertificate(this.committeeAt(header.height), certificate).ok, 'a block is applied with its own certificate');
    }
    const applied = this.#apply(candidate, certificate, deferrable);
    this.#applying = applied.then(
      () => undefined,
      () => undefined,
    );
    return applied.finally(() => {
      this.#applying = null;
    });
  }

  async #apply(candidate: Candidate, certificate: Certificate | null, deferrable: boolean): Promise<Applied> {
    const { block, blockHash, transactions, effects } = candidate;
    const { height, timeMs } = block.header;
    const headers = { size: height - 1, readTile: historyTiles(this.#store), peaks: this.#historyPeaks };
    const history = appendToLog(headers, [leafHash(blockHash)]);
    const stored: StoredTip = { height, blockHash, stateRoot: effects.stateRoot, historyRoot: history.root, certificate };
    const operations: StoreOperation[] = await this.blocks.decideOperations(block, transactions);
    const statuses = effects.outcomes.map((outcome, index) => ({ txId: (transactions[index] as Transaction).txId, ...outcome }));
    operations.push(...decisionOperations({ height, effects, historyTiles: history.tiles, statuses }));
    if (certificate !== null && changesCommittee(block.header))
      operations.push(this.blocks.linkOperation(this.committeeAt(height), certificate));
    operations.push({ type: 'put', key: tipKey(), value: storedTipCodec.encode(stored) });
    await this.#store.write(operations, { sync: false, deferrable });
    this.#state.advance(effects);
    for (const { txId } of statuses) this.#notIncluded.delete(keyOf(txId));
    if (effects.nextEpoch !== null) this.#epochs.enter(effects.nextEpoch);
    this.#historyRoot = history.root;
    this.#historyPeaks = history.peaks;
    this.#tip = tipOf(stored, block.header, this.genesis);
    return { height, blockHash, timeMs, statuses };
  }

  /** Asked when a transaction is heard, when it has been verified and when its block is checked; the store is asked once. */
  override isIncluded(txId: Hash): boolean {
    const id = keyOf(txId);
    if (this.#notIncluded.get(id)) return false;
    const included = super.isIncluded(txId);
    if (!included) this.#notIncluded.set(id, true);
    return included;
  }

  /** Resolves when the store has carried out all that was deferred. */
  settle(): Promise<void> {
    return this.#store.write([], { sync: false });
  }

  /** Whether the chain up to the tip has credited a validator's commit for a height, so that a block need not show it again. */
  creditedCommits(): (height: number, validator: number) => boolean {
    const recent = this.participation()?.recent ?? [];
    return (height, validator) => recent.find((credited) => credited.height === height)?.validators.includes(validator) ?? true;
  }

  /**
   * The canonical certificate of a decided block; for the tip, the one that it was applied with. Of a block that came by sync the signers are
   * certain and the signatures are not: whoever passes such a certificate on verifies it first.
   */
  certificateAt(height: number): Certificate | undefined {
    if (height === this.#tip.height) return this.#tip.certificate ?? undefined;
    return this.blocks.at(height + 1)?.parentCertificate ?? undefined;
  }

  /** Final status of a transaction; undefined if this node knows of none. */
  transactionStatus(txId: Hash): TransactionStatus | undefined {
    return readStatus(this.#store, txId);
  }

  /** What to store under `expiredKey` for a transaction whose time the tip has passed. */
  expiredValue(): Uint8Array {
    return expiredStatusCodec.encode({ height: this.#tip.height, timeMs: this.#tip.timeMs });
  }

  account(address: Address): Account | undefined {
    return this.#state.value(ACCOUNT, address);
  }

  service(name: string): Service | undefined {
    return this.#state.value(SERVICE, name);
  }

  recordLog(service: string): RecordLog | undefined {
    return this.#state.value(RECORD_LOG, service);
  }

  /** Who has signed how much of this epoch; undefined before the first block. */
  participation(): Participation | undefined {
    return this.#state.value(PARTICIPATION, null);
  }

  /** The last decided recovery of a validator. */
  recovery(validator: Address): Recovery | undefined {
    return this.#state.value(RECOVERY, validator);
  }

  /** Records of a service in order; none if there is no such service. @throws {LedgerError} code `RECORD_PRUNED` */
  records(query: RecordQuery): Promise<RecordPage> {
    return this.#records.page(query, this.recordLog(query.service)?.recordCount ?? 0);
  }

  /** The latest record under a key. @throws {LedgerError} code `RECORD_PRUNED` */
  latest(service: string, key: string): Promise<ServiceRecord | undefined> {
    return this.#records.latest(service, key);
  }

  /**
   * Proof, against the tip, that a record is in its log; or of the latest record under a key, or that there is none. See `verifyProof`.
   *
   * @returns codes `RECORD_UNKNOWN`, `RECORD_PRUNED`, `KEY_INVALID`, `PROOF_TOO_LONG`, and `NO_CERTIFICATE`, `PROOF_BUSY` and `CHECKPOINT_AHEAD`, after which the same
   * call may succeed
   */
  prove(question: ProofQuestion, start: ProofStart = {}): Promise<Result<Uint8Array, Refusal>> {
    return this.#prover.prove(question, start);
  }

  /**
   * What takes a light client on from a checkpoint, as far as it fits into one update. See `advanceCheckpoint`.
   *
   * @returns code `CHECKPOINT_AHEAD`, after which the same call may succeed
   */
  lightUpdate(start: ProofStart = {}): Result<EncodedLightUpdate, Refusal> {
    return this.#prover.lightUpdate(start);
  }

  #place(): BlockPlace {
    this.requireKnownProtocol();
    const epoch = this.#epochs.current;
    const parentCommittee = this.committeeAt(this.#tip.height);
    return { genesis: this.genesis, tip: this.#tip, historyRoot: this.#historyRoot, epoch, parentCommittee };
  }

  #execution(timeMs: number): BlockExecution {
    return new BlockExecution({
      genesis: this.genesis,
      epoch: this.#epochs.current,
      scheduled: () => this.#epochs.scheduled(),
      epochOf: (height) => this.epochOf(height),
      height: this.#tip.height + 1,
      timeMs,
      state: this.#state,
      isIncluded: (txId: Hash) => this.isIncluded(txId),
    });
  }
}

function tipOf({ height, blockHash, stateRoot, certificate }: StoredTip, header: Header | null, genesis: Genesis): Tip {
  return { height, blockHash, timeMs: header?.timeMs ?? genesis.timeMs, stateRoot, header, certificate };
}
