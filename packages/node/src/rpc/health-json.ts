import { type Address, fromHex } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import type { PartitionRecord, Side, SyncState } from '@nacre/replica';
import { z } from 'zod';
import type { NetworkState } from '../backend.ts';
import type { HealthEvent } from '../health-log.ts';
import { addressText, count, timeMs } from './schemas.ts';

/** How what a node sees of its own and the network's health is shown. */

export const NetworkStateJson = z.strictObject({
  state: z.enum(['NORMAL', 'PARTITIONED', 'RECOVERING']),
  reason: z.string().nullable(),
});

const SideJson = z.strictObject({
  validators: z.array(addressText),
  weight: count,
  mayDecide: z.boolean().describe('Whether its weight is more than two thirds of all'),
  own: z.boolean().describe('Whether this node stands on it'),
  reached: z.boolean().describe('False: nobody on this side of the cut reaches them, so whether they run or stand together is not known'),
});

export const SyncJson = z.strictObject({
  state: z.enum(['idle', 'catching-up', 'done', 'failed']),
  fromHeight: count.nullable(),
  height: count.nullable().describe('Last block applied by it'),
  toHeight: count.nullable(),
  blocksPerSecond: z.number().nonnegative().nullable(),
  remainingMs: count.nullable(),
  reason: z.string().nullable().describe('NO_SOURCE: whoever showed that there are further blocks does not give them'),
});

const PartitionJson = z.strictObject({
  sinceMs: timeMs,
  untilMs: timeMs.nullable().describe('Null while it lasts'),
  sides: z.array(SideJson),
});

export const HealthJson = z.strictObject({
  networkState: NetworkStateJson,
  height: count,
  totalWeight: count,
  neededWeight: count.describe('The least that can decide'),
  nodes: z.array(
    z.strictObject({
      address: addressText,
      name: z.string().nullable(),
      weight: count,
      self: z.boolean(),
      heard: z.boolean().describe('Whether this node hears it at present; of itself, whether it runs'),
    }),
  ),
  sides: z.array(SideJson).describe('One where nobody is cut off; none shortly after the start'),
  partitions: z.array(PartitionJson).describe('Since this process started, the oldest first, at most 64'),
  sync: SyncJson,
});

export function networkStateJson({ state, reason }: NetworkState): z.input<typeof NetworkStateJson> {
  return { state, reason };
}

export function sideJson({ members, weight, mayDecide, own, reached }: Side): z.input<typeof SideJson> {
  return { validators: members.map((id) => formatAddress(fromHex(id) as Address)), weight, mayDecide, own, reached };
}

export function partitionJson({ sinceMs, untilMs, sides }: PartitionRecord): z.input<typeof PartitionJson> {
  return { sinceMs, untilMs, sides: sides.map(sideJson) };
}

const NO_SYNC = { fromHeight: null, height: null, toHeight: null, blocksPerSecond: null, remainingMs: null, reason: null };

export function syncJson(sync: SyncState): z.input<typeof SyncJson> {
  switch (sync.kind) {
    case 'idle':
      return { ...NO_SYNC, state: 'idle' };
    case 'catching-up': {
      const { fromHeight, height, toHeight, blocksPerSecond, remainingMs } = sync;
      return { ...NO_SYNC, state: 'catching-up', fromHeight, height, toHeight, blocksPerSecond, remainingMs };
    }
    case 'done': {
      const { fromHeight, toHeight, blocksPerSecond } = sync;
      return { ...NO_SYNC, state: 'done', fromHeight, height: toHeight, toHeight, blocksPerSecond, remainingMs: 0 };
    }
    case 'failed':
      return { ...NO_SYNC, state: 'failed', height: sync.height, toHeight: sync.toHeight, reason: sync.reason };
  }
}

/** What an event of the topic `health` carries. */
export function healthEventJson(event: HealthEvent): object {
  const { sequence, atMs, kind } = event;
  switch (kind) {
    case 'state':
      return { sequence, atMs, kind, networkState: networkStateJson(event.networkState) };
    case 'partition':
      return { sequence, atMs, kind, change: event.partition.kind, sides: event.partition.sides.map(sideJson) };
    case 'sync':
      return { sequence, atMs, kind, sync: syncJson(event.sync) };
  }
}
