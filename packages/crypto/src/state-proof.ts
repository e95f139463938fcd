/** Proofs that the state tree holds a key with a value, or does not hold it. */
import { assert, bytesEqual, HASH_BYTES, type Hash, ZERO_HASH } from '@nacre/base';
import { nodeHash } from './log-tree.ts';
import {
  countLeft,
  firstBitBelow,
  leafUnder,
  NODES_BYTES,
  nodeHashAt,
  nodeKind,
  ROOT_NODE,
  stateLeafHash,
  writeFewHash,
} from './state-nodes.ts';
import {
  childId,
  EMPTY,
  FEW,
  fewAt,
  INNER,
  kindOf,
  LEAF_BYTES,
  leafIn,
  nibbleAt,
  type PageId,
  STATE_KEY_BYTES,
  slotKinds,
} from './state-page.ts';
import { openPage, type PageReader, rootSlot } from './state-tree.ts';

/** Longest proof: one sibling per bit of the key. */
export const STATE_PROOF_SIBLINGS_MAX = 8 * STATE_KEY_BYTES;

/** What stands where the key's path ends: nothing, or the only key of that subtree (the one asked for, or another). */
export type StateTerminal = { readonly kind: 'empty' } | { readonly kind: 'leaf'; readonly key: Uint8Array; readonly valueHash: Hash };

export interface StateProof {
  /** The hashes beside the path, from the root's child down. */
  readonly siblings: readonly Hash[];
  readonly terminal: StateTerminal;
}

export interface StateClaim {
  readonly root: Hash;
  readonly key: Uint8Array;
  readonly proof: StateProof;
}

export type StateFinding = { readonly present: true; readonly valueHash: Hash } | { readonly present: false };

/** @throws {CryptoError} code `PAGE_MISSING` or `PAGE_DAMAGED` when the pages are not those of `root` */
export function proveKey(reader: PageReader, root: Hash, key: Uint8Array): StateProof {
  assert(key.length === STATE_KEY_BYTES, 'a key has 32 bytes');
  const siblings: Hash[] = [];
  const start = rootSlot(root);
  if (start.kind === 'empty') return { siblings, terminal: { kind: 'empty' } };
  const nodes = new Uint8Array(NODES_BYTES);
  let id: PageId = '';
  let hash = root;
  for (;;) {
    const nibble = nibbleAt(key, id.length);
    const page = openPage(reader, id, { hash, nodes, slots: 1 << nibble });
    let node = ROOT_NODE;
    for (let bit = 3; bit >= 0 && nodeKind(nodes, node) === INNER; bit--) {
      node = 2 * node + ((nibble >> bit) & 1);
      siblings.push(nodeHashAt(nodes, node ^ 1));
    }
    const kind = nodeKind(nodes, node);
    if (kind === EMPTY) return { siblings, terminal: { kind: 'empty' } };
    if (kind !== INNER) return { siblings, terminal: leafUnder(page, node) };
    if (kindOf(slotKinds(page), nibble) === FEW) {
      return proveAmongFew(fewAt(page, nibble), { key, firstBit: firstBitBelow(id.length), siblings });
    }
    hash = nodeHashAt(nodes, node);
    id = childId(id, nibble);
  }
}

/** The rest of a proof, below a slot whose few keys stand in it. */
function proveAmongFew(
  leaves: Uint8Array,
  { key, firstBit, siblings }: { readonly key: Uint8Array; readonly firstBit: number; readonly siblings: Hash[] },
): StateProof {
  let at = 0;
  let count = leaves.length / LEAF_BYTES;
  for (let bit = firstBit; count > 1; bit++) {
    const left = countLeft({ from: leaves, at }, { count, bit });
    const middle = at + left * LEAF_BYTES;
    const isLeft = bitAt(key, bit) === 0;
    const beside = isLeft ? { at: middle, count: count - left } : { at, count: left };
    const sibling = new Uint8Array(HASH_BYTES);
    if (beside.count > 0) writeFewHash({ from: leaves, at: beside.at }, { count: beside.count, bit: bit + 1 }, { from: sibling, at: 0 });
    siblings.push(sibling);
    count = isLeft ? left : count - left;
    if (!isLeft) at = middle;
  }
  return { siblings, terminal: count === 0 ? { kind: 'empty' } : leafIn(leaves, at) };
}

/**
 * Checks a proof against a root. There is exactly one valid proof for a root and a key: hashes of leaves, inner nodes and
 * empty subtrees cannot be taken for each other, so the path ends where the tree says.
 *
 * @returns what the tree holds under the key, or null if the proof is invalid; never throws
 */
export function verifyStateProof({ root, key, proof }: StateClaim): StateFinding | null {
  const { siblings, terminal } = proof;
  const depth = siblings.length;
  if (root.length !== HASH_BYTES || key.length !== STATE_KEY_BYTES || depth > STATE_PROOF_SIBLINGS_MAX) return null;
  let hash: Hash = ZERO_HASH;
  if (terminal.kind === 'leaf') {
    if (terminal.key.length !== STATE_KEY_BYTES || terminal.valueHash.length !== HASH_BYTES) return null;
    // A leaf away from the path says nothing about the key.
    if (!sharesBits(terminal.key, key, depth)) return null;
    hash = stateLeafHash(terminal.key, terminal.valueHash);
  }
  for (let level = depth - 1; level >= 0; level--) {
    const sibling = siblings[level] as Hash;
    if (sibling.length !== HASH_BYTES) return null;
    hash = bitAt(key, level) === 0 ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
  }
  if (!bytesEqual(hash, root)) return null;
  if (terminal.kind === 'leaf' && bytesEqual(terminal.key, key)) return { present: true, valueHash: terminal.valueHash };
  return { present: false };
}

function bitAt(key: Uint8Array, index: number): number {
  return ((key[index >> 3] as number) >> (7 - (index & 7))) & 1;
}

function sharesBits(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  for (let i = 0; i < bits; i++) if (bitAt(a, i) !== bitAt(b, i)) return false;
  return true;
}
