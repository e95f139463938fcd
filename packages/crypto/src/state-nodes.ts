/**
 * The 31 nodes of a page of the state tree: its root, 14 between, and its 16 slots, in one array of 1,024 bytes. Numbered as in a
 * heap: the root is 1, the children of i are 2i and 2i + 1, slot s is 16 + s. The hash of node i stands at 32 i, so two children
 * stand side by side as they are hashed; node 0 does not exist, and its place holds the kinds of the others, that of i at i.
 */

import { assert, HASH_BYTES, type Hash, ZERO_HASH } from '@nacre/base';
import { sha256Into } from '#sha256';
import {
  EMPTY,
  INNER,
  kindOf,
  LEAF,
  type Leaf,
  leafAt,
  type Page,
  SLOTS,
  type Slot,
  STATE_KEY_BYTES,
  slotKinds,
  slotOffset,
} from './state-page.ts';

export const ROOT_NODE = 1;
export const NODES_BYTES = 2 * SLOTS * HASH_BYTES;

const LEAF_PREFIX = 0x00;
const INNER_PREFIX = 0x01;

/** Reused, because allocating 65 bytes costs as much as hashing them. */
const hashInput = new Uint8Array(1 + 2 * HASH_BYTES);

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

/** Fills `nodes` with those of `page`, hashing unless the page has kept them. */
export function loadNodes(page: Page, nodes: Uint8Array): void {
  if (page.nodes !== undefined) {
    nodes.set(page.nodes);
    return;
  }
  const kinds = slotKinds(page);
  let offset = slotOffset(kinds, 0);
  for (let s = 0; s < SLOTS; s++) {
    const node = SLOTS + s;
    const kind = kindOf(kinds, s);
    nodes[node] = kind;
    if (kind === EMPTY) {
      nodes.set(ZERO_HASH, node * HASH_BYTES);
    } else if (kind === LEAF) {
      hashInput[0] = LEAF_PREFIX;
      hashInput.set(page.bytes.subarray(offset, offset + 2 * HASH_BYTES), 1);
      sha256Into(hashInput, nodes, node * HASH_BYTES);
      offset += 2 * HASH_BYTES;
    } else {
      nodes.set(page.bytes.subarray(offset, offset + HASH_BYTES), node * HASH_BYTES);
      offset += HASH_BYTES;
    }
  }
  for (let node = SLOTS - 1; node >= ROOT_NODE; node--) joinChildren(nodes, node);
}

/** Puts the slots that `replaced` gives in place and hashes the nodes above them again, each once. */
export function updateNodes(nodes: Uint8Array, replaced: readonly (Slot | undefined)[]): void {
  let touched = 0;
  for (let s = 0; s < SLOTS; s++) {
    const slot = replaced[s];
    if (slot === undefined) continue;
    touched |= 1 << s;
    placeSlot(nodes, SLOTS + s, slot);
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

function placeSlot(nodes: Uint8Array, node: number, slot: Slot): void {
  const offset = node * HASH_BYTES;
  if (slot.kind === 'empty') {
    nodes[node] = EMPTY;
    nodes.set(ZERO_HASH, offset);
  } else if (slot.kind === 'leaf') {
    nodes[node] = LEAF;
    writeLeafHash(slot, nodes, offset);
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
    hashInput.set(nodes.subarray(left * HASH_BYTES, (left + 2) * HASH_BYTES), 1);
    sha256Into(hashInput, nodes, offset);
  }
}

export function nodeKind(nodes: Uint8Array, node: number): number {
  return nodes[node] as number;
}

/** Hash of a node, as an array of its own. */
export function nodeHashAt(nodes: Uint8Array, node: number): Hash {
  return nodes.slice(node * HASH_BYTES, (node + 1) * HASH_BYTES);
}

export function nodeHasHash(nodes: Uint8Array, node: number, hash: Hash): boolean {
  for (let i = 0; i < HASH_BYTES; i++) if (nodes[node * HASH_BYTES + i] !== hash[i]) return false;
  return true;
}

/** The only key under a node of kind `LEAF`. */
export function leafUnder(page: Page, nodes: Uint8Array, node: number): Leaf {
  let at = node;
  while (at < SLOTS) at = nodes[2 * at] === LEAF ? 2 * at : 2 * at + 1;
  return leafAt(page, at - SLOTS);
}
