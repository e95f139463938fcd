import {
  type Address,
  assert,
  type Clock,
  fail,
  type Lane,
  ok,
  type Peer,
  type Result,
  type Transport,
  type TransportHandlers,
  type Urgency,
} from '@nacre/base';

const LATENCY_MS = 1;

/** A frame on its way out of a node. `to` is a node, or the lane of a broadcast. */
export interface SentFrame {
  readonly from: string;
  readonly to: string;
  readonly frame: Uint8Array;
}

/** The same as it was handed to the transport. */
interface QueuedFrame extends SentFrame {
  readonly urgency: Urgency;
}

interface Node {
  readonly name: string;
  readonly validator: Address | undefined;
  readonly handlers: TransportHandlers;
  /** By the peer's id. */
  readonly links: Map<string, { readonly peer: Peer; readonly node: Node }>;
}

/** Connects nodes of one process by name. Everything arrives after a millisecond, in order, unless a test interposes. */
export class TestHub {
  /** Every frame sent, once for each broadcast. */
  readonly sent: QueuedFrame[] = [];
  readonly penalties: { readonly by: string; readonly against: string; readonly code: string }[] = [];
  /** What arrives in place of a message from one node to another. */
  interpose: (sent: SentFrame) => readonly Uint8Array[] = ({ frame }) => [frame];
  readonly #clock: Clock;
  readonly #nodes = new Map<string, Node>();
  #connections = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The transport of a new node, on the network from `start` on and connected to nobody. */
  join(name: string, validator: Address | undefined): Transport {
    let node: Node | null = null;
    const self = (): Node => node as Node;
    return {
      start: (handlers) => {
        assert(!this.#nodes.has(name), `two nodes are named ${name}`);
        node = { name, validator, handlers, links: new Map() };
        this.#nodes.set(name, node);
      },
      peers: () => [...self().links.values()].map(({ peer }) => peer),
      send: (peerId, frame) => {
        const to = self().links.get(peerId)?.node;
        if (to === undefined) return;
        this.sent.push({ from: name, to: to.name, frame, urgency: 'urgent' });
        this.#carry(self(), to, frame);
      },
      broadcast: (lane, frame, urgency = 'urgent') => this.#broadcast(self(), { lane, frame, urgency }),
      request: (peerId, frame, limits) => this.#request(self(), peerId, frame, limits),
      penalize: (peerId, { code }) => this.penalties.push({ by: name, against: peerId.split('#')[0] as string, code }),
    };
  }

  connect(a: string, b: string): void {
    const [first, second] = [this.#node(a), this.#node(b)];
    const epoch = ++this.#connections;
    const link = (from: Node, to: Node): void => {
      const peer = { id: `${to.name}#${epoch}`, validator: to.validator };
      from.links.set(peer.id, { peer, node: to });
      from.handlers.connected(peer);
    };
    link(first, second);
    link(second, first);
  }

  disconnect(a: string, b: string): void {
    const [first, second] = [this.#node(a), this.#node(b)];
    for (const [from, to] of [
      [first, second],
      [second, first],
    ] as const) {
      for (const { peer, node } of [...from.links.values()]) {
        if (node !== to) continue;
        from.links.delete(peer.id);
        from.handlers.disconnected(peer);
      }
    }
  }

  /** Takes a node off, as when its process ends. */
  leave(name: string): void {
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    for (const other of new Set([...node.links.values()].map((link) => link.node))) this.disconnect(name, other.name);
    this.#nodes.delete(name);
  }

  #node(name: string): Node {
    const node = this.#nodes.get(name);
    assert(node !== undefined, `there is no node ${name}`);
    return node;
  }

  #broadcast(from: Node, { lane, frame, urgency }: { readonly lane: Lane; readonly frame: Uint8Array; readonly urgency: Urgency }): void {
    this.sent.push({ from: from.name, to: lane, frame, urgency });
    for (const { node } of from.links.values()) {
      const isCommittee = from.validator !== undefined && node.validator !== undefined;
      if (isCommittee === (lane === 'committee')) this.#carry(from, node, frame);
    }
  }

  #carry(from: Node, to: Node, sent: Uint8Array): void {
    for (const frame of this.interpose({ from: from.name, to: to.name, frame: sent })) {
      this.#clock.schedule(LATENCY_MS, () => {
        const link = [...to.links.values()].find(({ node }) => node === from);
        if (link !== undefined) to.handlers.message(link.peer, frame);
      });
    }
  }

  #request(
    from: Node,
    peerId: string,
    frame: Uint8Array,
    limits: { timeoutMs: number; answerBytesMax: number },
  ): Promise<Result<Uint8Array>> {
    return new Promise((resolve) => {
      const to = from.links.get(peerId)?.node;
      if (to === undefined) return resolve(fail({ code: 'DISCONNECTED' }));
      const timer = this.#clock.schedule(limits.timeoutMs, () => resolve(fail({ code: 'TIMEOUT' })));
      const give = (answer: Result<Uint8Array>): void => {
        this.#clock.schedule(LATENCY_MS, () => {
          timer.cancel();
          resolve(answer);
        });
      };
      this.#clock.schedule(LATENCY_MS, () => {
        const link = [...to.links.values()].find(({ node }) => node === from);
        if (link === undefined) return give(fail({ code: 'DISCONNECTED' }));
        void to.handlers.request(link.peer, frame).then((answer) => {
          if (answer === undefined) give(fail({ code: 'NO_ANSWER' }));
          else give(answer.length > limits.answerBytesMax ? fail({ code: 'TOO_LARGE' }) : ok(answer));
        });
      });
    });
  }
}
