import { type Address, bytesEqual, fail, type Hash, type Peer, type StoreOperation, type Timer } from '@nacre/base';
import { CommitCollector, type Vote } from '@nacre/consensus';
import { type Applied, Ledger, PARAMETER_RULES, Snapshots, type Transaction, VoteJournal, WriteBehindStore } from '@nacre/ledger';
import { AutoSynchronizer } from './auto-synchronizer.ts';
import { LOCAL_CONFIGURATION, type ReplicaConfiguration } from './configuration.ts';
import { reportEpoch } from './epoch-report.ts';
import { EvidenceDesk } from './evidence-desk.ts';
import { type HeightContext, HeightDriver } from './height-driver.ts';
import { Inbox } from './inbox.ts';
import { INSTANCE_BYTES, InstanceGuard } from './instance-guard.ts';
import { Mempool } from './mempool.ts';
import { PeerRequests } from './peer-requests.ts';
import { PeerTable, type PeerView } from './peer-table.ts';
import { ReachWatch } from './reach-watch.ts';
import { Recovery } from './recovery.ts';
import type { ReplicaDependencies, ReplicaOptions, ReplicaStatus } from './replica-types.ts';
import { Serving } from './serving.ts';
import { SigningWatch } from './signing-watch.ts';
import { SnapshotMaking } from './snapshot-making.ts';
import { SnapshotSync } from './snapshot-sync.ts';
import type { StoreStatus } from './store-care.ts';
import { StoreKeeper } from './store-keeper.ts';
import { type Admission, type SubmissionStatus, TransactionDesk } from './transaction-desk.ts';
import { TwinWatch } from './twin-watch.ts';
import { encodeMessage, type Message } from './wire.ts';

type Listener = (applied: Applied) => void;

/** What `init` does for a new validator: an identity and an empty vote journal beside its key. */
export async function prepareValidatorHome(
  options: { readonly validator: Address },
  dependencies: Pick<ReplicaDependencies, 'directory' | 'store' | 'random'>,
): Promise<void> {
  await VoteJournal.create(options, dependencies);
}

/**
 * One validator or follower over ports: height after height by consensus, or by block sync when it is behind.
 *
 * Every message of a peer is decoded, bounded and verified here or in the parts that this hands it to, before the
 * consensus core or the ledger sees it.
 */
export class Replica {
  readonly ledger: Ledger;
  /** Who can reach whom. */
  readonly reach: ReachWatch;
  /** How it catches up. */
  readonly sync: AutoSynchronizer;
  readonly #options: ReplicaOptions;
  readonly #dependencies: ReplicaDependencies;
  readonly #configuration: ReplicaConfiguration;
  readonly #mempool: Mempool;
  readonly #peers = new PeerTable();
  readonly #requests: PeerRequests;
  readonly #guard: InstanceGuard;
  readonly #journal: VoteJournal | null;
  readonly #recovery: Recovery | null;
  readonly #evidence: EvidenceDesk | null;
  /** Null where the key is in this process. */
  readonly #signing: SigningWatch | null;
  readonly #snapshotSync: SnapshotSync;
  readonly #snapshotMaking: SnapshotMaking;
  readonly #serving: Serving;
  readonly #transactions: TransactionDesk;
  readonly #twins: TwinWatch;
  readonly #keeper: StoreKeeper;
  readonly #context: HeightContext;
  readonly #inbox: Inbox;
  readonly #listeners = new Set<Listener>();
  #driver: HeightDriver | null = null;
  /** A vote of ours that the journal does not know: the key is put in doubt before the next height is driven. */
  #forgotten: Vote | null = null;
  /** Something beside the run has failed: the run ends with it. */
  #failure: { readonly error: unknown } | null = null;
  #mode: ReplicaStatus['mode'] = 'stopped';
  #running: Promise<void> | null = null;
  #tick: Timer | null = null;
  #lastProgress = '';
  #statusSentAtMs = Number.NEGATIVE_INFINITY;

  private constructor(
    options: ReplicaOptions,
    dependencies: ReplicaDependencies,
    parts: { ledger: Ledger; mempool: Mempool; journal: VoteJournal | null },
  ) {
    const { clock, transport, verifier, log, random } = dependencies;
    const { ledger, mempool, journal } = parts;
    this.#options = options;
    this.#dependencies = dependencies;
    this.#configuration = { ...LOCAL_CONFIGURATION, ...options.configuration };
    this.ledger = ledger;
    this.#mempool = mempool;
    this.#journal = journal;
    this.#guard = new InstanceGuard(options.validator?.address ?? null, random.bytes(INSTANCE_BYTES));
    this.#requests = new PeerRequests({ transport, ledger, peers: this.#peers, requestTimeoutMs: this.#configuration.requestTimeoutMs });
    this.#context = {
      chain: options.genesis.context,
      configuration: this.#configuration,
      clock,
      transport,
      verifier,
      log,
      ledger,
      mempool,
      commits: new CommitCollector(PARAMETER_RULES.lateCommitHeights.max),
      requests: this.#requests,
      identity: options.validator === null || journal === null ? null : { signer: options.validator.signer, journal },
      unsigned: (height, error) => this.#signing?.unsigned(height, error),
      signedInVain: () => this.#signing?.recallAnew(),
      equivocationSeen: (equivocation) => this.#evidence?.seen(equivocation),
      voteSeen: (validator, vote) => this.#twins.voteSeen(validator, vote),
    };
    this.#transactions = new TransactionDesk({ ledger, mempool, clock, transport, work: () => this.#driver?.work() });
    const { chain, identity } = this.#context;
    const snapshots = new Snapshots({ genesis: options.genesis, store: dependencies.store, verifier, log });
    this.#snapshotSync = new SnapshotSync(this.#configuration, {
      ledger,
      mempool,
      snapshots,
      peers: this.#peers,
      requests: this.#requests,
      log,
      clock,
    });
    this.#snapshotMaking = new SnapshotMaking(this.#configuration, { ledger, snapshots, clock, log });
    this.#serving = new Serving({ chain, ledger, mempool, snapshots, verifier });
    this.#twins = new TwinWatch({ chain, guard: this.#guard, ledger, transport, verifier, log, identity });
    this.reach = new ReachWatch({
      self: options.validator?.address ?? null,
      configuration: this.#configuration,
      ledger,
      peers: this.#peers,
      log,
      tell: (message) => this.#broadcast(message),
      penalize: (peerId, offence) => transport.penalize(peerId, offence),
    });
    this.sync = new AutoSynchronizer({
      clock,
      snapshots: this.#snapshotSync,
      leap: () => this.#leap(),
      chain,
      ledger,
      peers: this.#peers,
      requests: this.#requests,
      verifier,
      log,
      applied: (applied) => this.#afterBlock(applied),
    });
    this.#inbox = new Inbox(this.#configuration, {
      clock,
      transport,
      ledger,
      transactions: this.#transactions,
      twins: this.#twins,
      reach: this.reach,
      context: this.#context,
      driver: () => this.#driver,
      decidedFrame: (height) => this.#decidedFrame(height),
      instanceAnswer: (view, answer) => this.#onInstanceAnswer(view, answer),
      checkClaims: () => this.#checkClaims(),
      spawn: (work) => this.#spawn(work),
    });
    this.#keeper = new StoreKeeper(options, { ...dependencies, ledger, requests: this.#requests, fail: (error) => this.#fail(error) });
    const custody = options.validator?.custody;
    this.#signing = custody === undefined || journal === null ? null : new SigningWatch({ custody, journal, ledger, log });
    custody?.onChange(() => this.#reconsiderVoting());
    options.validator?.keys?.follow(ledger);
    this.#recovery =
      options.validator === null || journal === null
        ? null
        : new Recovery({
            ...options.validator,
            journal,
            ledger,
            clock,
            random,
            log,
            submit: (transaction) => this.#submitRecovery(transaction),
          });
    this.#evidence =
      options.validator === null
        ? null
        : new EvidenceDesk({
            ...options.validator,
            ledger,
            clock,
            random,
            log,
            submit: (transaction) => this.#transactions.admit(transaction),
            status: (txId) => this.#transactions.status(txId),
          });
  }

  /**
   * Reads store, mempool and vote journal.
   *
   * @throws typed errors of the ledger and the store, for example for a foreign or damaged one. A vote journal in doubt
   *   does not throw: the replica runs and stays mute until the network has decided its recovery.
   */
  static async open(options: ReplicaOptions, given: ReplicaDependencies): Promise<Replica> {
    const { genesis, validator } = options;
    // Everything that reads the store does it here: no part may miss what another one has deferred.
    const dependencies = { ...given, store: new WriteBehindStore(given.store) };
    const { store, verifier, log, directory, random, clock } = dependencies;
    const ledger = await Ledger.open({ genesis, store, verifier, log });
    const mempool = new Mempool({ ...LOCAL_CONFIGURATION, ...options.configuration }, { ledger, store });
    await mempool.restore(clock.nowMs());
    const journal = validator === null ? null : await VoteJournal.open({ validator: validator.address }, { directory, store, random });
    if (journal !== null && journal.doubt !== null) {
      log.error({ code: journal.doubt.code }, 'vote journal in doubt: mute until the network has decided our recovery');
    }
    return new Replica(options, dependencies, { ledger, mempool, journal });
  }

  start(): void {
    if (this.#running !== null) return;
    this.#mode = 'consensus';
    this.#dependencies.transport.start({
      connected: (peer) => this.#connected(peer),
      disconnected: (peer) => this.#disconnected(peer),
      message: (peer, frame) => this.#receive(peer, frame),
      request: (peer, frame) => this.#answer(peer, frame),
    });
    this.#running = this.#run();
    this.#keeper.start();
    this.#scheduleTick();
  }

  /** Ends after the write under way. Nothing is lost: what is pending is durable or held by whoever admitted it. */
  async stop(): Promise<void> {
    this.#mode = 'stopped';
    this.#transactions.tick(Number.POSITIVE_INFINITY);
    this.#tick?.cancel();
    this.sync.end();
    this.#driver?.end();
    await this.#keeper.stop();
    await this.#snapshotMaking.end();
    await this.#running;
  }

  /** Settles when the replica has stopped; rejects if a disk or an invariant failed, and then nothing more is signed. */
  get finished(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  status(): ReplicaStatus {
    const { tip } = this.ledger;
    return {
      height: tip.height,
      blockHash: tip.blockHash,
      timeMs: tip.timeMs,
      round: this.#driver?.round ?? 0,
      mode: this.#mode,
      // Not the driver's word: between two heights there is none.
      voting: this.#mode === 'consensus' && this.#selfAt(tip.height + 1) !== null,
      doubt: this.#journal?.doubt ?? null,
      pending: this.#mempool.count,
      pendingBytes: this.#mempool.bytes,
      peers: this.#peers.size,
      snapshot: this.#snapshotSync.progress,
    };
  }

  /** How the store is: see {@link StoreCare}. */
  storeStatus(): StoreStatus {
    return this.#keeper.status();
  }

  /**
   * To be told of every read of the store that found damage, whoever read: what peers can give again is fetched from them, anything else ends
   * the replica.
   */
  storeDamaged(error: unknown): void {
    this.#keeper.takes(error);
  }

  onDecided(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes a transaction of a client.
   *
   * @param alongside what the same synced write stores: there after a crash if and only if the transaction is
   * @returns ok once it is fsynced here; else the refusal: undecodable, unknown account, not a writer, expired,
   *   duplicate, over quota, bad signature, full
   */
  async submit(envelope: Uint8Array, alongside: readonly StoreOperation[] = []): Promise<Admission> {
    if (this.#mode === 'stopped') return fail({ code: 'STOPPED' });
    return this.#transactions.submit(envelope, alongside);
  }

  /** A transaction that waits here for a block. */
  pendingTransaction(txId: Hash): Transaction | undefined {
    return this.#mempool.get(txId);
  }

  transactionStatus(txId: Hash): SubmissionStatus {
    return this.#transactions.status(txId);
  }

  async #submitRecovery(transaction: Transaction): Promise<boolean> {
    const admitted = await this.#transactions.admit(transaction);
    if (!admitted.ok) this.#dependencies.log.warn({ code: admitted.error.code }, 'own recovery refused, trying again');
    return admitted.ok;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isStopped()) {
        if (this.#failure !== null) throw this.#failure.error;
        this.ledger.requireKnownProtocol();
        if (this.#forgotten !== null) await this.#enterDoubt(this.#forgotten);
        while (this.#signing?.recallDue) await this.#recall(this.#signing);
        if (this.sync.needed()) {
          this.#mode = 'syncing';
          await this.sync.run();
          if (!this.#isStopped()) this.#mode = 'consensus';
          continue;
        }
        const height = this.ledger.tip.height + 1;
        const driver = new HeightDriver({ height, self: this.#selfAt(height) }, this.#context);
        this.#driver = driver;
        this.#inbox.open(height);
        const outcome = await driver.run();
        this.#driver = null;
        if (outcome.kind === 'decided') {
          await this.#afterBlock(outcome.applied);
          this.#tellFollowers(height);
        }
      }
    } catch (error) {
      this.#mode = 'stopped';
      this.#tick?.cancel();
      this.#dependencies.log.error({ error: error instanceof Error ? error.message : String(error) }, 'replica stopped by a failure');
      throw error;
    }
  }

  /** A snapshot instead of blocks: where nobody has them, or where they are many and no client of ours waits to hear how they ended. */
  async #leap(): Promise<void> {
    const onlyWay = this.#snapshotSync.needed();
    if (!onlyWay && (!this.#snapshotSync.worthwhile || this.#mempool.hasPromises)) return;
    await this.#snapshotMaking.without(() => this.#keeper.without(() => this.#snapshotSync.run({ onlyWay })));
  }

  #isStopped(): boolean {
    return this.#mode === 'stopped';
  }

  /** Our place in the committee of a height, or null while we must not sign. */
  #selfAt(height: number): number | null {
    const committee = this.ledger.committeeAt(height);
    if (this.#journal === null || this.#options.validator === null) return null;
    if (this.#journal.doubt !== null || height <= this.#journal.floorHeight || !this.#guard.mayVote(committee)) return null;
    if (this.#signing !== null && !this.#signing.maySign(height)) return null;
    const { address, signer, keys } = this.#options.validator;
    const index = committee.indexOf(address);
    if (index === null) return null;
    // After a rotation the committee knows the old key for two epochs, then the new one: what another key signs is worth nothing to anyone.
    const { publicKey } = committee.validator(index);
    return (keys?.holds(publicKey) ?? bytesEqual(publicKey, signer.publicKey)) ? index : null;
  }

  /** Takes up the height anew when what decides whether we may vote has changed. */
  #reconsiderVoting(): void {
    const driver = this.#driver;
    if (driver === null) return;
    if (this.#signing?.recallDue || driver.voting !== (this.#selfAt(driver.height) !== null)) driver.end();
  }

  async #afterBlock(applied: Applied): Promise<void> {
    await this.#mempool.settle(
      applied.statuses.map(({ txId }) => txId),
      this.ledger.tip.timeMs,
    );
    this.#transactions.decided(this.#dependencies.clock.nowMs());
    await this.#recovery?.afterBlock();
    await this.#options.validator?.keys?.afterBlock(this.#dependencies.log);
    reportEpoch({ ledger: this.ledger, log: this.#dependencies.log });
    if (this.#journal?.needsRotation) await this.#journal.rotate({ keepAbove: applied.height });
    this.#keeper.afterBlock();
    if (this.#mode === 'consensus') this.#snapshotMaking.afterBlock();
    for (const listener of this.#listeners) listener(applied);
  }

  /** Validators hold the block; whoever is no validator hears of it here. */
  #tellFollowers(height: number): void {
    if (![...this.#peers.all()].some(({ peer }) => peer.validator === undefined)) return;
    const decided = this.#decidedFrame(height);
    if (decided !== null) this.#dependencies.transport.broadcast('gossip', decided);
  }

  /** Null also for a block that is damaged here: others have it, and it is mended meanwhile. */
  #decidedFrame(height: number): Uint8Array | null {
    try {
      const certificate = this.ledger.certificateAt(height);
      const block = this.ledger.blockAt(height);
      return certificate === undefined || block === undefined ? null : encodeMessage({ kind: 'decided', certificate, block: block.bytes });
    } catch (error) {
      if (this.#keeper.takes(error)) return null;
      throw error;
    }
  }

  #connected(peer: Peer): void {
    this.#peers.connected(peer);
    this.#twins.claim(peer);
    if (this.#driver !== null) this.#send(peer.id, { kind: 'round-state', state: this.#driver.roundState() });
  }

  #disconnected(peer: Peer): void {
    this.#peers.disconnected(peer.id);
    this.#inbox.drop(peer.id);
    this.#guard.disconnected(peer.id);
    this.#reconsiderVoting();
  }

  #receive(peer: Peer, frame: Uint8Array): void {
    const view = this.#peers.get(peer.id);
    if (view !== undefined && !this.#isStopped()) this.#inbox.receive(view, frame);
  }

  /** Whoever claims to be far ahead of us must prove it before that interrupts the height at hand. */
  async #checkClaims(): Promise<void> {
    const isProven = await this.sync.prove();
    if (isProven) this.#driver?.end();
  }

  async #onInstanceAnswer(view: PeerView, answer: Extract<Message, { kind: 'instance-answer' }>): Promise<void> {
    // A vote that only the signer knows of is not forgotten: its memory comes first, and then the claim is made again.
    if (this.#signing !== null && !this.#signing.recalled) return;
    const forgotten = await this.#twins.takeAnswer(view, answer);
    if (forgotten === null) return this.#reconsiderVoting();
    this.#forgotten = forgotten;
    this.#driver?.end();
  }

  /** Mute from here on, across restarts, until the network has decided our recovery. */
  async #enterDoubt({ height, round }: Vote): Promise<void> {
    this.#forgotten = null;
    if (this.#journal === null || this.#journal.doubt !== null) return;
    this.#dependencies.log.error({ height, round }, 'a peer holds a vote of ours that our journal does not know: mute until recovered');
    await this.#journal.enterDoubt({ code: 'VOTE_UNKNOWN', height, round });
    this.#recovery?.restart();
  }

  async #recall(signing: SigningWatch): Promise<void> {
    await signing.recall();
    if (this.#journal?.doubt) return this.#recovery?.restart();
    this.#claimAll();
  }

  #scheduleTick(): void {
    this.#tick = this.#dependencies.clock.schedule(this.#configuration.repairIntervalMs, () => {
      if (this.#isStopped()) return;
      this.#onTick(this.#dependencies.clock.nowMs());
      this.#scheduleTick();
    });
  }

  #onTick(nowMs: number): void {
    this.reach.tick(nowMs);
    const statusDue = nowMs - this.#statusSentAtMs >= this.#configuration.statusIntervalMs;
    const state = this.#driver?.roundState();
    if (state !== undefined) {
      const progress = `${state.height}/${state.round}/${state.step}`;
      const stalled = state.working && progress === this.#lastProgress;
      this.#lastProgress = progress;
      if (stalled || statusDue) this.#broadcast({ kind: 'round-state', state });
    }
    this.#transactions.tick(nowMs);
    this.#transactions.resend(nowMs, this.#configuration.resendIntervalMs);
    if (this.#evidence !== null) this.#spawn(this.#evidence.tick());
    if (!statusDue) return;
    this.#statusSentAtMs = nowMs;
    this.#claimAll();
    if (this.#recovery !== null) this.#spawn(this.#recovery.tick());
    this.#spawn(this.#keeper.tick());
  }

  #claimAll(): void {
    for (const { peer } of this.#peers.all()) this.#twins.claim(peer);
  }

  #broadcast(message: Message): void {
    const frame = encodeMessage(message);
    this.#dependencies.transport.broadcast('committee', frame);
    this.#dependencies.transport.broadcast('gossip', frame);
  }

  #send(peerId: string, message: Message): void {
    this.#dependencies.transport.send(peerId, encodeMessage(message));
  }

  /** The peer gets no answer to what our store fails at, or to what comes after the end. */
  async #answer(peer: Peer, frame: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#peers.get(peer.id) === undefined || this.#isStopped()) return undefined;
    try {
      return await this.#serving.answer(frame);
    } catch (error) {
      if (!this.#keeper.takes(error)) this.#fail(error);
      return undefined;
    }
  }

  /** Work on a peer's behalf that nobody waits for. */
  #spawn(work: Promise<void>): void {
    work.catch((error: unknown) => this.#fail(error));
  }

  /** What fails beside the run is our store or our bug, and stops the replica. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#driver?.end();
    this.sync.end();
  }
}
