import {
  blockHash,
  decodeHeader,
  encodeHeader,
  type Header,
  idsPartCodec,
  lightUpdateCodec,
  type SnapshotManifest,
  statePartCodec,
} from '@nacre/ledger';
import type { AnyAnswer, Behaviour, ByzantineWorld } from './behaviour.ts';

/** Heights that a snapshot is claimed to be ahead by. */
const AHEAD_MAX = 1_000;
/** How long an answer is kept back, in virtual ms: past every patience, or not. */
const STALL_MS = 2_000;

/** What one liar does all its life. Whoever does everything at once is found out at the first step. */
const MANNERS = [
  /** Offers what nobody has, and gives parts that are no parts at all, or late, or none. */
  'lures',
  /** Gives a state in which one value is another. */
  'alters',
  /** Gives parts that fit one another and lead to a block that only it has signed. */
  'forges',
  /** Offers snapshots without the logs of records. */
  'leaves-out',
] as const;

/** Deceives those who take up snapshots. */
export const snapshotLiar: Behaviour = (world) => {
  const manner = world.random.pick(MANNERS);
  const manifests = (offered: readonly SnapshotManifest[]): SnapshotManifest[] => {
    if (manner === 'leaves-out') return offered.map((manifest) => ({ ...manifest, logs: 0 }));
    return manner === 'lures' ? offered.map((manifest) => luring(manifest, world)) : [...offered];
  };
  return {
    answer: (told) => {
      if (told.kind === 'snapshots') {
        if (manner === 'leaves-out' || manner === 'lures') world.acted();
        return [{ content: { kind: 'snapshots', answer: { manifests: manifests(told.answer.manifests) } } }];
      }
      if (told.kind !== 'snapshot-parts' || manner === 'leaves-out') return undefined;
      const { parts } = told.answer;
      world.acted();
      if (manner === 'lures') return spoilt(parts, world);
      const given = parts.map((part) => (manner === 'forges' ? forged(part, world) : altered(part, world)));
      return [{ content: { kind: 'snapshot-parts', answer: { parts: given } } }];
    },
  };
};

function luring(manifest: SnapshotManifest, { random }: ByzantineWorld): SnapshotManifest {
  return random.pick([
    manifest,
    { ...manifest, height: manifest.height + 1 + random.int(AHEAD_MAX) },
    { ...manifest, ids: manifest.ids + 1, bytes: 0 },
    { ...manifest, links: manifest.links + 1 },
  ]);
}

function spoilt(parts: readonly Uint8Array[], { random }: ByzantineWorld): { readonly content: AnyAnswer; readonly delayMs?: number }[] {
  const give = (given: readonly Uint8Array[], delayMs = 0) => [
    { content: { kind: 'snapshot-parts' as const, answer: { parts: given } }, delayMs },
  ];
  switch (random.int(6)) {
    case 0:
      return [];
    case 1:
      return give(parts, random.between(0, STALL_MS));
    case 2:
      return give(parts.map((part) => flipped(part, random.int(Math.max(1, 8 * part.length)))));
    case 3:
      return give(parts.toReversed());
    case 4:
      return give(parts.map((part) => part.subarray(0, random.int(part.length + 1))));
    default:
      return give(parts.slice(0, random.int(parts.length + 1)));
  }
}

function flipped(part: Uint8Array, bit: number): Uint8Array {
  const bytes = part.slice();
  if (bytes.length > 0) bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
  return bytes;
}

/** A part of the state with one bit of one value turned; any other part as it is. */
function altered(part: Uint8Array, { random }: ByzantineWorld): Uint8Array {
  const state = statePartCodec.decode(part);
  if (!state.ok || state.value.kind !== 'entries') return part;
  const { entries } = state.value;
  const at = random.int(entries.length);
  const entry = entries[at];
  if (entry === undefined || !('value' in entry.content)) return part;
  const value = flipped(entry.content.value, random.int(Math.max(1, 8 * entry.content.value.length)));
  return statePartCodec.encode({ kind: 'entries', entries: entries.with(at, { ...entry, content: { value } }) });
}

/** The part as it would be if the snapshot's block had another time. What does not depend on that stays. */
function forged(part: Uint8Array, { validator, vote, random }: ByzantineWorld): Uint8Array {
  const update = lightUpdateCodec.decode(part);
  if (update.ok && update.value.head !== null) {
    const { certificate } = update.value.head;
    const header = later(update.value.head.header);
    const { signature } = vote({ ...certificate, kind: 'commit', blockHash: blockHash(header) });
    const own = { validator, signature };
    const commits = random.pick([[own], certificate.commits.map((commit) => (commit.validator === validator ? own : commit))]);
    return lightUpdateCodec.encode({
      ...update.value,
      head: { header, certificate: { ...certificate, blockHash: blockHash(header), commits } },
    });
  }
  const ids = idsPartCodec.decode(part);
  const [top, ...others] = ids.ok ? ids.value.blocks : [];
  const header = top === undefined ? undefined : decodeHeader(top.header);
  if (top === undefined || header === undefined || !header.ok) return part;
  return idsPartCodec.encode({ blocks: [{ ...top, header: encodeHeader(later(header.value)) }, ...others] });
}

function later(header: Header): Header {
  return { ...header, timeMs: header.timeMs + 1 };
}
