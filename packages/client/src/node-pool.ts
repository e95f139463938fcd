import { assert } from '@nacre/base';
import { NacreClientError } from './client-error.ts';
import { BACKOFF_MS, BACKOFF_MS_MAX, NODES_MAX } from './client-limits.ts';

/** A node as this client has found it. */
export interface KnownNode {
  readonly url: string;
  /** Of `performance.now()`: before this it is asked only if no other can be. */
  availableAtMs: number;
  /** In a row. */
  failures: number;
}

/** Half to all of the pause after so many failures in a row, so that clients that failed together do not return together. */
function backoffMs(failures: number): number {
  return Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
}

/** The nodes that a client may ask. It stays with one until that fails. */
export class NodePool {
  readonly nodes: readonly KnownNode[];
  #preferred: KnownNode;

  /** @throws {NacreClientError} `URL_INVALID` */
  constructor(urls: readonly string[]) {
    if (!Array.isArray(urls)) throw invalid('no node is given', {});
    const distinct = [...new Set(urls.map(checkedUrl))];
    if (distinct.length > NODES_MAX) throw invalid('too many nodes', { nodes: distinct.length, max: NODES_MAX });
    this.nodes = distinct.map((url) => ({ url, availableAtMs: 0, failures: 0 }));
    const [first] = this.nodes;
    if (first === undefined) throw invalid('no node is given', {});
    this.#preferred = first;
  }

  /** @returns the node to ask next, of those not in `tried`; undefined if all are */
  pick(tried: ReadonlySet<KnownNode>): KnownNode | undefined {
    const nowMs = performance.now();
    let best: KnownNode | undefined;
    for (const node of [this.#preferred, ...this.nodes]) {
      if (tried.has(node)) continue;
      if (node.availableAtMs <= nowMs) return node;
      if (best === undefined || node.availableAtMs < best.availableAtMs) best = node;
    }
    return best;
  }

  /** The node to ask first. */
  first(): KnownNode {
    const node = this.pick(new Set());
    assert(node !== undefined, 'a pool has nodes');
    return node;
  }

  succeeded(node: KnownNode): void {
    node.failures = 0;
    node.availableAtMs = 0;
    this.#preferred = node;
  }

  /** @param leastMs a pause that the node asked for */
  failed(node: KnownNode, leastMs = 0): void {
    node.failures++;
    node.availableAtMs = performance.now() + Math.max(leastMs, backoffMs(node.failures));
  }
}

function checkedUrl(text: string): string {
  // `URL.parse` is not in Node.js 20.
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw invalid(`${text} is not the http or https address of a node`, { url: text });
  return url.href;
}

function invalid(problem: string, fields: Readonly<Record<string, unknown>>): NacreClientError {
  return new NacreClientError('URL_INVALID', problem, { fields, hint: 'Give addresses such as http://127.0.0.1:8640.' });
}
