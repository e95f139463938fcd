import type { CoreOptions } from '@nacre/consensus';
import { LOCAL_DETECTION } from '@nacre/health';

/** What an operator may choose without forking anything: none of this decides whether a block is valid. */
export interface ReplicaConfiguration {
  /** Waits of the three steps in round 0 and what each round adds, in ms. Shorter than the network's delay: rounds are wasted. */
  readonly timeouts: CoreOptions['timeouts'];
  /** Without transactions a block is still made this long after its parent, in ms, so that proofs of "latest" stay fresh. */
  readonly idleIntervalMs: number;
  /** After a block without transactions, what is pending waits this long in ms: nobody could include it, so hurry would only fill disks. */
  readonly emptyIntervalMs: number;
  /** While a height is being decided, round states go out this often, in ms. Lower: lost votes come back sooner, more traffic. */
  readonly repairIntervalMs: number;
  /** While nothing is to be decided, round states go out this often, in ms. */
  readonly statusIntervalMs: number;
  /** A transaction admitted here that is still undecided is sent again this often, in ms. */
  readonly resendIntervalMs: number;
  /** A validator says this often whom it hears, in ms. Several times within `reachSilenceMs`, or every delay splits the network. */
  readonly reachIntervalMs: number;
  /** Of whom nothing was heard for this long, in ms, counts as cut off. Longer: partitions are named later. Shorter: slow peers pass for absent. */
  readonly reachSilenceMs: number;
  /** Nobody is accused for this long after a start or a pause of this process, in ms. */
  readonly reachSettleMs: number;
  /** Longest wait for the answer to one request, in ms; then another peer is asked. */
  readonly requestTimeoutMs: number;
  /** Most pending transactions, by count and by bytes. At it: `MEMPOOL_FULL`, retryable. */
  readonly pendingCountMax: number;
  readonly pendingBytesMax: number;
  /** The share of both that one account may hold, as a divisor. At it: `ACCOUNT_FULL`, retryable; others are still admitted. */
  readonly accountShareDivisor: number;
  /** A snapshot of the state is made for others at the first fit block from each multiple of this height on; 0: none is made. */
  readonly snapshotIntervalBlocks: number;
  /** How many of them are kept, each about as large as the state. */
  readonly snapshotsKept: number;
  /** Blocks behind the others from which on a snapshot is fetched instead of blocks; null: never, so that this node has all blocks. */
  readonly snapshotBehindBlocks: number | null;
}

/** Suits validators on one machine or in one room. */
export const LOCAL_CONFIGURATION: ReplicaConfiguration = {
  timeouts: { proposeMs: 400, prepareMs: 200, commitMs: 200, growthMs: 200 },
  idleIntervalMs: 10_000,
  emptyIntervalMs: 1_000,
  repairIntervalMs: 100,
  statusIntervalMs: 1_000,
  resendIntervalMs: 2_000,
  reachIntervalMs: 200,
  reachSilenceMs: LOCAL_DETECTION.silenceMs,
  reachSettleMs: LOCAL_DETECTION.settleMs,
  requestTimeoutMs: 2_000,
  pendingCountMax: 20_000,
  pendingBytesMax: 64 * 1024 * 1024,
  accountShareDivisor: 2,
  snapshotIntervalBlocks: 10_000,
  snapshotsKept: 2,
  snapshotBehindBlocks: 20_000,
};
