import { LOCAL_CONFIGURATION } from '@nacre/replica';
import { z } from 'zod';

/** Addresses, peers or names in one list. More is a mistake, not a network. */
const LIST_MAX = 1024;
const TEXT_MAX = 1024;
/** Longest wait that may be configured, in ms: a day. */
const WAIT_MS_MAX = 24 * 3600 * 1000;
const MIB = 1024 * 1024;

const texts = z.array(z.string().min(1).max(TEXT_MAX)).max(LIST_MAX);
const waitMs = (byDefault: number) => z.int().min(1).max(WAIT_MS_MAX).default(byDefault);
const port = z.int().min(0).max(65_535);

const rpc = z.strictObject({
  host: z.string().min(1).max(TEXT_MAX).default('127.0.0.1').describe('address that the RPC listens on'),
  port: port.default(8640).describe('port of the RPC; 0 takes a free one'),
  allowedHosts: texts.optional().describe('values of the Host header that are answered; by default those of this machine'),
  allowedOrigins: texts.optional().describe('web pages that may use the RPC; by default those of this machine'),
});

const records = z.strictObject({
  submit: z
    .boolean()
    .default(false)
    .describe('whether record_submit signs with the node’s own service key for everyone who can reach the RPC'),
  writers: texts.default([]).describe('accounts of other nodes that shall own and write the services made here'),
});

const signer = z.strictObject({
  socket: z.string().min(1).max(TEXT_MAX).describe('Unix socket of `nacre signer`, relative to the home'),
});

const logs = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('least serious event that is written'),
  rotateBytes: z
    .int()
    .min(64 * 1024)
    .max(1024 * MIB)
    .default(16 * MIB)
    .describe('size at which a new file begins'),
  keep: z.int().min(1).max(1000).default(5).describe('old files that are kept'),
});

const { timeouts: localTimeouts } = LOCAL_CONFIGURATION;
const timeouts = z.strictObject({
  proposeMs: waitMs(localTimeouts.proposeMs),
  prepareMs: waitMs(localTimeouts.prepareMs),
  commitMs: waitMs(localTimeouts.commitMs),
  growthMs: waitMs(localTimeouts.growthMs),
});

const consensus = z.strictObject({
  timeouts: timeouts.prefault({}),
  idleIntervalMs: waitMs(LOCAL_CONFIGURATION.idleIntervalMs),
  emptyIntervalMs: waitMs(LOCAL_CONFIGURATION.emptyIntervalMs),
  repairIntervalMs: waitMs(LOCAL_CONFIGURATION.repairIntervalMs),
  statusIntervalMs: waitMs(LOCAL_CONFIGURATION.statusIntervalMs),
  resendIntervalMs: waitMs(LOCAL_CONFIGURATION.resendIntervalMs),
  reachIntervalMs: waitMs(LOCAL_CONFIGURATION.reachIntervalMs),
  reachSilenceMs: waitMs(LOCAL_CONFIGURATION.reachSilenceMs),
  reachSettleMs: waitMs(LOCAL_CONFIGURATION.reachSettleMs),
  requestTimeoutMs: waitMs(LOCAL_CONFIGURATION.requestTimeoutMs),
  pendingCountMax: z.int().min(1).max(1_000_000).default(LOCAL_CONFIGURATION.pendingCountMax),
  pendingBytesMax: z
    .int()
    .min(MIB)
    .max(4096 * MIB)
    .default(LOCAL_CONFIGURATION.pendingBytesMax),
  accountShareDivisor: z.int().min(1).max(1000).default(LOCAL_CONFIGURATION.accountShareDivisor),
});

const scrub = z.strictObject({
  bytesPerSecond: z
    .int()
    .min(0)
    .max(1024 * MIB)
    .default(MIB)
    .describe('how fast the store is gone through for damage, in the background; 0 for never'),
  intervalMs: z
    .int()
    .min(1)
    .max(30 * WAIT_MS_MAX)
    .default(WAIT_MS_MAX)
    .describe('rest between two passes'),
});

const pruning = z.strictObject({
  keepBlocks: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe('latest blocks that are kept; 0: not bound by their number'),
  keepDays: z.number().min(0).max(36_500).default(0).describe('days of block time that are kept; 0: not bound by their age'),
});

const HEIGHTS_MAX = 1_000_000_000;
const snapshot = z.strictObject({
  intervalBlocks: z
    .int()
    .min(0)
    .max(HEIGHTS_MAX)
    .default(LOCAL_CONFIGURATION.snapshotIntervalBlocks)
    .describe('a snapshot of the state is made for others at about every multiple of this height; 0 for none'),
  keep: z.int().min(1).max(16).default(LOCAL_CONFIGURATION.snapshotsKept).describe('snapshots that are kept, each as large as the state'),
  fetch: z
    .boolean()
    .default(true)
    .describe('whether a node that is far behind takes up a snapshot; false where it is to have all blocks from the first on'),
  behindBlocks: z
    .int()
    .min(1)
    .max(HEIGHTS_MAX)
    .default(20_000)
    .describe('blocks behind from which on it does; where no peer has the blocks, it does at once'),
});

/** `config.json` of a home. Every key has a default, none but these is accepted, and none decides whether a block is valid. */
export const configurationSchema = z.strictObject({
  genesis: z.string().min(1).max(TEXT_MAX).default('genesis.json').describe('genesis file, relative to the home'),
  listen: texts.min(1).default(['/ip4/127.0.0.1/tcp/9640']).describe('multiaddrs that other nodes connect to'),
  announce: texts.default([]).describe('multiaddrs told to others instead of those listened on'),
  bootstrap: texts.default([]).describe('multiaddrs of nodes to connect to first, with /p2p/ID or without'),
  security: z.enum(['tls', 'noise']).default('tls').describe('tls with a hybrid post-quantum group, or noise, which is classical'),
  tlsGroups: z.string().min(1).max(TEXT_MAX).default('X25519MLKEM768').describe('key exchange groups of TLS; nothing else is negotiated'),
  followerAllowlist: texts.optional().describe('peer ids of followers that are let in; by default any, up to a bound'),
  rpc: rpc.prefault({}),
  records: records.prefault({}),
  signer: signer.optional().describe("process that holds the validator's key; without it the home does"),
  logs: logs.prefault({}),
  pruning: pruning.prefault({}).describe('which blocks are kept: what either keeps stays, and with both 0 everything does'),
  scrub: scrub.prefault({}),
  snapshot: snapshot.prefault({}),
  consensus: consensus.prefault({}),
});

export type NodeConfiguration = z.output<typeof configurationSchema>;
/** What stands in a file: whatever is left out has its default. */
export type ConfigurationFile = z.input<typeof configurationSchema>;
