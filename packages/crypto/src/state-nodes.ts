/**
 * The 31 nodes of a page of the state tree: its root, 14 between, and its 16 slots, in one array of 1,024 bytes. Numbered as in a
 * heap: the root is 1, the children of i are 2i and 2i + 1, quarter q is 4 + q, slot s is 16 + s. The hash of node i stands at 32 i,
 * so two children stand side by side as they are hashed; node 0 does not exist, and its place holds the kinds of the others,
 * that of i at i.
 */

import { assert, HASH_BYTES, type Hash, ZERO_HASH } from '@nacre/base';
import { sha256Into } from '#sha256';
import { Slab } from './slab.ts';
import {
  EMPTY,
  FEW,
  INNER,
  kindOf,
  LEAF,
  LEAF_BYTES,
  type Leaf,
  leafAt,
  type Page,
  QUARTER_SLOTS,
  QUARTERS,
  QUARTERS_OFFSET,
  quarterKind,
  SLOTS,
  type Slot,
  STATE_KEY_BYTES,
  slotKinds,
  slotLength,
  slotsOffset,
} from './state-page.ts';

export const ROOT_NODE = 1;
export const NODES_BYTES = 2 * SLOTS * HASH_BYTES;
/** All quarters, as a set of bits. */
export const ALL_QUARTERS = 2 ** QUARTERS - 1;

const LEAF_PREFIX = 0x00;
const INNER_PREFIX = 0x01;

/** Reused, because allocating 65 bytes costs as much as hashing them. */
const hashInput = new Uint8Array(1 + 2 * HASH_BYTES);

/** A place inside of a longer array: of a hash, or of leaves. */
interface HashAt {
  readonly from: Uint8Array;
  readonly at: number;
}

const ZERO: HashAt = { from: ZERO_HASH, at: 0 };

/** SHA-256(0x00 || key || valueHash): a key and its value, and also every subtree that holds nothing else. */
export function stateLeafHash(key: Uint8Array, valueHash: Hash): Hash {
  const digest = new Uint8Array(HASH_BYTES);
  writeLeafHash({ key, valueHash }, digest, 0);
  return digest;
}

function writeLeafHash(leaf: Pick<Leaf, 'key' | 'valueHash'>, target: Uint8Array, offset: number): void {
  assert(leaf.key.length === STATE_KEY_BYTES && leaf.valueHash.length === HASH_BYTES, 'a leaf has a key and a value hash of 32 bytes');
  hashInput[0] = LEAF_PREFIX;
  hashInput.set(leaf.key, 1);
  hashInput.set(leaf.valueHash, 1 + STATE_KEY_BYTES);
  sha256Into(hashInput, target, offset);
}

/** Sets the input behind its prefix. A loop, because a view for `set` costs as much and leaves garbage behind. */
function fillHashInput({ from, at }: HashAt): void {
  for (let i = 0; i < 2 * HASH_BYTES; i++) hashInput[1 + i] = from[at + i] as number;
}

/** The quarters, as a set of bits, in which the slots of another set lie. */
export function quartersOf(slots: number): number {
  let quarters = 0;
  for (let q = 0; q < QUARTERS; q++) if (((slots >>> (QUARTER_SLOTS * q)) & 0xf) !== 0) quarters |= 1 << q;
  return quarters;
}

/**
 * Fills `nodes` with those of `page`: root, quarters, what is between them, and all below the quarters that are asked for.
 * The root is computed from those and from what the page says of its other quarters, so if it is the right one, all of it is.
 *
 * @param place `quarters` as a set of bits, and the `depth` of the page in half bytes
 */
export function loadNodes(page: Page, nodes: Uint8Array, { quarters, depth }: { readonly quarters: number; readonly depth: number }): void {
  if (page.nodes !== undefined) {
    nodes.set(page.nodes);
    return;
  }
  const kinds = slotKinds(page);
  const stored = { from: page.bytes, at: QUARTERS_OFFSET };
  let at = slotsOffset(kinds);
  for (let q = 0; q < QUARTERS; q++) {
    const node = QUARTERS + q;
    const isStored = quarterKind(kinds, q) === INNER;
    if (isStored && (quarters & (1 << q)) === 0) {
      nodes[node] = INNER;
      copyHash(stored, nodes, node);
      for (let s = QUARTER_SLOTS * q; s < QUARTER_SLOTS * (q + 1); s++) at += slotLength(page, kindOf(kinds, s), at);
    } else {
      at = loadQuarter(page, nodes, { quarter: q, depth, at });
    }
    if (isStored) stored.at += HASH_BYTES;
  }
  for (let node = QUARTERS - 1; node >= ROOT_NODE; node--) joinChildren(nodes, node);
}

/** For each bit of a key, where the hashes of the two halves below it are put to be hashed. */
const fewHalves: Uint8Array[] = [];

/**
 * Hashes the subtree of a few leaves as if it had a page: level by level, down to where one leaf is left.
 *
 * @param leaves one behind the other, ascending
 * @param subtree how many they are, and the first `bit` of their keys that divides them
 */
export function writeFewHash(leaves: HashAt, { count, bit }: { readonly count: number; readonly bit: number }, target: HashAt): void {
  if (count === 1) {
    hashInput[0] = LEAF_PREFIX;
    fillHashInput(leaves);
    sha256Into(hashInput, target.from, target.at);
    return;
  }
  const left = countLeft(leaves, { count, bit });
  let halves = fewHalves[bit];
  if (halves === undefined) {
    halves = new Uint8Array(2 * HASH_BYTES);
    fewHalves[bit] = halves;
  }
  if (left === 0) halves.fill(0, 0, HASH_BYTES);
  else writeFewHash(leaves, { count: left, bit: bit + 1 }, { from: halves, at: 0 });
  const right = { from: leaves.from, at: leaves.at + left * LEAF_BYTES };
  if (left === count) halves.fill(0, HASH_BYTES);
  else writeFewHash(right, { count: count - left, bit: bit + 1 }, { from: halves, at: HASH_BYTES });
  hashInput[0] = INNER_PREFIX;
  fillHashInput({ from: halves, at: 0 });
  sha256Into(hashInput, target.from, target.at);
}

/** How many of the leaves, which ascend, have a zero at that bit of their keys. */
export function countLeft({ from, at }: HashAt, { count, bit }: { readonly count: number; readonly bit: number }): number {
  let left = 0;
  while (left < count && (((from[at + left * LEAF_BYTES + (bit >> 3)] as number) >> (7 - (bit & 7))) & 1) === 0) left++;
  return left;
}

/**
 * Places the slots of a quarter, and the nodes above them up to the quarter's own.
 *
 * @param place which quarter, and where `at` in the page its first slot begins
 * @returns where its last slot ends
 */
function loadQuarter(
  page: Page,
  nodes: Uint8Array,
  place: { readonly quarter: number; readonly depth: number; readonly at: number },
): number {
  const from = page.bytes;
  const kinds = slotKinds(page);
  let at = place.at;
  for (let s = QUARTER_SLOTS * place.quarter; s < QUARTER_SLOTS * (place.quarter + 1); s++) {
    const node = SLOTS + s;
    const kind = kindOf(kinds, s);
    const end = at + slotLength(page, kind, at);
    nodes[node] = kind === FEW ? INNER : kind;
    if (kind === LEAF) {
      hashInput[0] = LEAF_PREFIX;
      fillHashInput({ from, at });
      sha256Into(hashInput, nodes, node * HASH_BYTES);
    } else if (kind === FEW) {
      const subtree = { count: (end - at - 1) / LEAF_BYTES, bit: firstBitBelow(place.depth) };
      writeFewHash({ from, at: at + 1 }, subtree, { from: nodes, at: node * HASH_BYTES });
    } else {
      copyHash(kind === EMPTY ? ZERO : { from, at }, nodes, node);
    }
    at = end;
  }
  const node = QUARTERS + place.quarter;
  joinChildren(nodes, 2 * node);
  joinChildren(nodes, 2 * node + 1);
  joinChildren(nodes, node);
  return at;
}

/** The first bit of a key that a slot's subtree divides by, in a page at a depth in half bytes. */
export function firstBitBelow(depth: number): number {
  return 4 * (depth + 1);
}

/** Puts the slots that `replaced` gives in place and hashes the nodes above them again, each once. Their quarters must be loaded. */
export function updateNodes(nodes: Uint8Array, replaced: readonly (Slot | undefined)[], depth: number): void {
  let touched = 0;
  for (let s = 0; s < SLOTS; s++) {
    const slot = replaced[s];
    if (slot === undefined) continue;
    touched |= 1 << s;
    placeSlot(nodes, { node: SLOTS + s, depth }, slot);
  }
  // `touched` has a bit for every node of a level that has changed, from the slots up to the root.
  for (let width = SLOTS / 2; width >= 1; width /= 2) {
    let above = 0;
    while (touched !== 0) {
      const pair = (31 - Math.clz32(touched)) >> 1;
      touched &= ~(3 << (2 * pair));
      above |= 1 << pair;
      joinChildren(nodes, width + pair);
    }
    touched = above;
  }
}

function placeSlot(nodes: Uint8Array, { node, depth }: { readonly node: number; readonly depth: number }, slot: Slot): void {
  const offset = node * HASH_BYTES;
  if (slot.kind === 'empty') {
    nodes[node] = EMPTY;
    nodes.set(ZERO_HASH, offset);
  } else if (slot.kind === 'leaf') {
    nodes[node] = LEAF;
    writeLeafHash(slot, nodes, offset);
  } else if (slot.kind === 'few') {
    nodes[node] = INNER;
    const count = slot.leaves.length / LEAF_BYTES;
    writeFewHash({ from: slot.leaves, at: 0 }, { count, bit: firstBitBelow(depth) }, { from: nodes, at: offset });
  } else {
    nodes[node] = INNER;
    nodes.set(slot.hash, offset);
  }
}

function joinChildren(nodes: Uint8Array, node: number): void {
  const left = 2 * node;
  const leftKind = nodes[left] as number;
  const rightKind = nodes[left + 1] as number;
  const offset = node * HASH_BYTES;
  if (leftKind + rightKind <= LEAF) {
    // No key, or exactly one: the node is the same as its only child. This makes the shape depend on the set of keys alone.
    const child = leftKind === LEAF ? left : left + 1;
    nodes[node] = leftKind + rightKind;
    nodes.copyWithin(offset, child * HASH_BYTES, (child + 1) * HASH_BYTES);
  } else {
    nodes[node] = INNER;
    hashInput[0] = INNER_PREFIX;
    for (let i = 0; i < 2 * HASH_BYTES; i++) hashInput[1 + i] = nodes[left * HASH_BYTES + i] as number;
    sha256Into(hashInput, nodes, offset);
  }
}

function copyHash({ from, at }: HashAt, nodes: Uint8Array, node: number): void {
  for (let i = 0; i < HASH_BYTES; i++) nodes[node * HASH_BYTES + i] = from[at + i] as number;
}

export function nodeKind(nodes: Uint8Array, node: number): number {
  return nodes[node] as number;
}

/** As with pages, of those updated together. */
const nodesSlab = new Slab(16 * NODES_BYTES);

/** A copy of the nodes for a page to keep. */
export function copyOfNodes(nodes: Uint8Array): Uint8Array {
  const copy = nodesSlab.take(NODES_BYTES);
  copy.set(nodes);
  return copy;
}

/** Hash of a node, as an array of its own. */
export function nodeHashAt(nodes: Uint8Array, node: number): Hash {
  return nodes.slice(node * HASH_BYTES, (node + 1) * HASH_BYTES);
}

export function nodeHasHash(nodes: Uint8Array, node: number, hash: Hash): boolean {
  for (let i = 0; i < HASH_BYTES; i++) if (nodes[node * HASH_BYTES + i] !== hash[i]) return false;
  return true;
}

/** The hashes of the four quarters, one behind the other. */
export function quarterHashes(nodes: Uint8Array): Uint8Array {
  return nodes.subarray(QUARTERS * HASH_BYTES, 2 * QUARTERS * HASH_BYTES);
}

/** The only key under a node of kind `LEAF`. */
export function leafUnder(page: Page, node: number): Leaf {
  const kinds = slotKinds(page);
  let slot = node;
  while (slot < SLOTS) slot *= 2;
  slot -= SLOTS;
  while (kindOf(kinds, slot) === EMPTY) slot++;
  return leafAt(page, slot);
}
