import { type Address, bytesEqual, type Log, toHex } from '@nacre/base';
import { createCachingVerifier, formatAddress, parseAddress } from '@nacre/crypto';
import { createVerifier } from '@nacre/crypto/native';
import type { Retention } from '@nacre/ledger';
import { FileDirectory, LevelStore } from '@nacre/ledger/level';
import { Libp2pTransport } from '@nacre/network';
import { Replica, type ReplicaConfiguration, type ReplicaStatus } from '@nacre/replica';
import { restoreBans, serveAdminSocket } from './admin-socket.ts';
import type { NodeConfiguration } from './configuration-schema.ts';
import { gossipRules } from './gossip-rules.ts';
import type { HomeKey, OpenedHome } from './home.ts';
import { NodeMetrics } from './metrics.ts';
import { networkState } from './network-state.ts';
import { NodeError } from './node-error.ts';
import { ReplicaBackend } from './replica-backend.ts';
import { requireOwnJournal } from './require-own-journal.ts';
import { startRpc } from './rpc/rpc-server.ts';
import { storesSetAside } from './set-aside.ts';
import { STORE_FORMAT_VERSION } from './store-format.ts';
import { addStoreMetrics } from './store-metrics.ts';
import { systemClock, systemRandom } from './system-ports.ts';
import { addTransportMetrics } from './transport-metrics.ts';
import { VERSION } from './version.ts';
import { watchStore } from './watch-store.ts';

const DAY_MS = 24 * 3600 * 1000;
/** Signatures remembered as valid, about 150 bytes each: what arrives over several ways within seconds. */
const VERIFIED_SIGNATURES_MAX = 16_384;

/** A home whose validator's key may be in another process. */
export type NodeHome = Omit<OpenedHome, 'validator'> & { readonly validator: HomeKey | null };

export interface RunningNode {
  readonly rpcUrl: string;
  /** Where other nodes can connect to this one, peer id included. */
  readonly multiaddrs: readonly string[];
  readonly peerId: string;
  /** As it is now. */
  readonly status: () => ReplicaStatus;
  /** Settles when the node has stopped; rejects with what made it stop by itself: a disk that failed, or a bug. */
  readonly finished: Promise<void>;
  /** Ends after the write under way. May be called more than once. */
  stop(): Promise<void>;
}

/**
 * Puts a node together and starts it: store (whose lock keeps out a second process of this home), transport, replica, RPC, admin socket, and
 * when all of them are there, consensus. What fails on the way closes what was opened.
 *
 * @throws typed errors of the parts: `STORE_LOCKED`, `PORT_IN_USE`, `PORT_BUSY`, damaged or foreign stores, and so on
 */
export async function startNode(home: NodeHome, configuration: NodeConfiguration, log: Log): Promise<RunningNode> {
  await using opened = new AsyncDisposableStack();
  const running = await composeNode(home, configuration, { log, opened });
  const closing = opened.move();
  let stopping: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    stopping ??= closing.disposeAsync();
    return stopping;
  };
  return { ...running, stop };
}

async function composeNode(
  home: NodeHome,
  configuration: NodeConfiguration,
  { log, opened }: { readonly log: Log; readonly opened: AsyncDisposableStack },
): Promise<Omit<RunningNode, 'stop'>> {
  const { genesis, paths, validator, service } = home;
  const [clock, random] = [systemClock, systemRandom];
  const writers = configuration.records.writers.map(requireAddress);
  const directory = new FileDirectory(paths.journal);
  opened.defer(() => directory.close());
  await requireOwnJournal(home, directory);
  const disk = await LevelStore.open(paths.store, { formatVersion: STORE_FORMAT_VERSION, genesisHash: genesis.hash });
  opened.defer(() => disk.close());
  const verifier = createCachingVerifier(createVerifier(genesis.scheme), { entriesMax: VERIFIED_SIGNATURES_MAX });

  // The transport lets nobody in before the replica starts it, so nobody is judged before there is a ledger to judge by.
  const parts: { replica?: Replica } = {};
  const store = watchStore(disk, (error) => parts.replica?.storeDamaged(error));
  const replicaOf = (): Replica => parts.replica as Replica;
  const transport = await Libp2pTransport.create(
    {
      genesisHash: genesis.hash,
      protocolVersion: genesis.parameters.protocolVersion,
      peerKey: home.peerSeed,
      identity: validator,
      validatorKey: (address) => validatorKey(replicaOf(), address),
      listen: configuration.listen,
      bootstrap: configuration.bootstrap,
      announce: configuration.announce,
      security: configuration.security,
      tlsGroups: configuration.tlsGroups,
      ...(configuration.followerAllowlist === undefined ? {} : { followerAllowlist: configuration.followerAllowlist }),
      gossip: gossipRules({ ledger: () => replicaOf().ledger, verifier }),
    },
    { verifier, log, random, clock },
  );
  opened.defer(() => transport.stop());
  await restoreBans(paths.bannedPeers, transport.gate);
  const replica = await Replica.open(
    {
      genesis,
      validator,
      configuration: replicaConfiguration(configuration),
      scrub: configuration.scrub,
      pruning: retentionOf(configuration),
    },
    { clock, random, store, directory, transport, reclaim: (ranges) => disk.reclaim(ranges), verifier, log },
  );
  parts.replica = replica;
  opened.defer(() => replica.stop().catch(() => undefined));

  const view = observeNetwork({ replica, transport, home, configuration });
  const backend = await ReplicaBackend.open(
    {
      nodeId: transport.peerId,
      version: VERSION,
      validator,
      records: configuration.records.submit ? { account: service, writers } : null,
    },
    {
      replica,
      store,
      clock,
      random,
      peers: () => transport.peerInfo(),
      networkState: view,
      setAside: (await storesSetAside(paths.store)).length,
    },
  );
  opened.defer(() => backend.close());
  const metrics = new NodeMetrics(backend);
  addTransportMetrics(metrics.registry, () => transport.counters());
  addStoreMetrics(metrics.registry, () => backend.storeHealth());
  opened.defer(() => metrics.close());
  const { host, port, allowedHosts, allowedOrigins } = configuration.rpc;
  const access = { ...(allowedHosts === undefined ? {} : { allowedHosts }), ...(allowedOrigins === undefined ? {} : { allowedOrigins }) };
  const rpc = await startRpc({ host, port, ...access }, { backend, metrics, log });
  opened.defer(() => rpc.close());
  const admin = await serveAdminSocket(paths, transport.gate);
  opened.defer(() => admin.close());
  replica.start();
  const address = validator === null ? null : formatAddress(validator.address);
  log.info(
    { network: genesis.network, genesisHash: toHex(genesis.hash), address, peerId: transport.peerId, version: VERSION },
    'node started',
  );
  return {
    rpcUrl: rpc.url,
    multiaddrs: transport.multiaddrs(),
    peerId: transport.peerId,
    status: () => replica.status(),
    finished: replica.finished,
  };
}

function retentionOf({ pruning }: NodeConfiguration): Retention {
  return { blocks: pruning.keepBlocks, ageMs: pruning.keepDays * DAY_MS };
}

interface Observed {
  readonly replica: Replica;
  readonly transport: Libp2pTransport;
  readonly home: NodeHome;
  readonly configuration: NodeConfiguration;
}

/** @returns what {@link networkState} says now, whenever it is called */
function observeNetwork({ replica, transport, home, configuration }: Observed) {
  const { genesis, validator } = home;
  const startedAtMs = performance.now();
  let progressAtMs = startedAtMs;
  replica.onDecided(() => {
    progressAtMs = performance.now();
  });
  const nameOf = (address: Address): string | undefined => genesis.validators.find((known) => bytesEqual(known.address, address))?.name;
  return () => {
    const nowMs = performance.now();
    return networkState({
      committee: replica.ledger.committeeAt(replica.ledger.tip.height + 1),
      nameOf,
      self: validator?.address ?? null,
      signerTrouble: validator?.custody?.trouble ?? null,
      connected: transport.peers().flatMap((peer) => peer.validator ?? []),
      cutOff: nowMs - progressAtMs > configuration.consensus.reachSilenceMs ? cutOff(replica, configuration) : new Set<string>(),
      replica: replica.status(),
      idleIntervalMs: configuration.consensus.idleIntervalMs,
      sinceProgressMs: nowMs - progressAtMs,
      sinceStartMs: nowMs - startedAtMs,
    });
  };
}

function replicaConfiguration({ consensus, snapshot }: NodeConfiguration): ReplicaConfiguration {
  const snapshotBehindBlocks = snapshot.fetch ? snapshot.behindBlocks : null;
  return { ...consensus, snapshotIntervalBlocks: snapshot.intervalBlocks, snapshotsKept: snapshot.keep, snapshotBehindBlocks };
}

/** Validators that the partition detector has on other sides, in hex: once that has lasted, so that a node which is only slow splits nothing. */
function cutOff({ reach }: Replica, { consensus }: NodeConfiguration): ReadonlySet<string> {
  const sinceMs = reach.history.at(-1)?.sinceMs ?? Number.POSITIVE_INFINITY;
  if (systemClock.nowMs() - sinceMs < consensus.reachSilenceMs) return new Set();
  return new Set(reach.sides.filter(({ own }) => !own).flatMap(({ members }) => members));
}

function validatorKey({ ledger }: Replica, address: Address): Uint8Array | undefined {
  const committee = ledger.committeeAt(ledger.tip.height + 1);
  const index = committee.indexOf(address);
  return index === null ? undefined : committee.validator(index).publicKey;
}

function requireAddress(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed.ok) return parsed.value;
  throw new NodeError('CONFIG_INVALID', `configuration: records.writers holds ${JSON.stringify(text)}, which is no address`, {
    fields: { problems: [{ path: 'records.writers', problem: `${text} is no address` }] },
    hint: 'Addresses start with nacre1; `nacre keys list --home DIR` shows those of a home.',
  });
}
