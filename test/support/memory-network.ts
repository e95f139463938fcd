import {
  type Address,
  assert,
  fail,
  type Lane,
  ok,
  type Peer,
  type Refusal,
  type Result,
  type Transport,
  type TransportHandlers,
} from '@nacre/base';

export interface SeenFrame {
  readonly from: number;
  readonly kind: 'message' | 'request' | 'answer';
  readonly bytes: Uint8Array;
}

interface Endpoint {
  readonly node: number;
  readonly validator: Address | undefined;
  readonly handlers: TransportHandlers;
  readonly links: Map<string, Link>;
}

/** One end of a connection: whom it leads to, and how that one calls us. */
interface Link {
  readonly peer: Peer;
  readonly far: Endpoint;
  readonly farId: string;
  /** Told when the connection ends. */
  readonly pending: Set<() => void>;
}

/** Connects everyone with everyone inside one process, in real time, without losing or reordering anything until it is cut. */
export class MemoryNetwork {
  readonly #observe: (frame: SeenFrame) => void;
  readonly #endpoints = new Map<number, Endpoint>();
  /** Frames that leave and never arrive. */
  lost: (frame: SeenFrame) => boolean = () => false;
  readonly penalties: { readonly by: number; readonly code: string }[] = [];
  #whole = true;
  #connections = 0;

  /** @param observe sees every frame as it leaves, in the same turn, so that it can cut the network before the frame arrives */
  constructor(observe: (frame: SeenFrame) => void = () => {}) {
    this.#observe = observe;
  }

  /** The transport of a new process; `validator` is what its peers take as proven. */
  attach(node: number, validator: Address | undefined): Transport {
    assert(!this.#endpoints.has(node), `node ${node} is attached`);
    let own: Endpoint | null = null;
    const started = (): Endpoint => {
      assert(own !== null, 'a transport is used after it was started');
      return own;
    };
    return {
      start: (handlers) => {
        own = { node, validator, handlers, links: new Map() };
        this.#endpoints.set(node, own);
        for (const other of this.#endpoints.values()) if (other !== own && this.#whole) this.#connect(own, other);
      },
      peers: () => [...started().links.values()].map(({ peer }) => peer),
      send: (peerId, frame) => this.#send(started(), started().links.get(peerId), frame),
      broadcast: (lane, frame) => {
        for (const link of [...started().links.values()]) if (laneOf(started(), link.far) === lane) this.#send(started(), link, frame);
      },
      request: (peerId, frame, limits) => this.#request(started(), peerId, frame, limits),
      penalize: (_, offence: Refusal) => this.penalties.push({ by: node, code: offence.code }),
    };
  }

  /** Ends a process's connections. Frames on their way to and from it are lost. */
  detach(node: number): void {
    const endpoint = this.#endpoints.get(node);
    if (endpoint === undefined) return;
    this.#endpoints.delete(node);
    for (const link of [...endpoint.links.values()]) this.#disconnect(endpoint, link);
  }

  /** Ends all connections; nobody hears anybody until `heal`. */
  cut(): void {
    this.#whole = false;
    for (const endpoint of this.#endpoints.values()) for (const link of [...endpoint.links.values()]) this.#disconnect(endpoint, link);
  }

  heal(): void {
    if (this.#whole) return;
    this.#whole = true;
    const all = [...this.#endpoints.values()];
    for (const [index, one] of all.entries()) for (const other of all.slice(0, index)) this.#connect(one, other);
  }

  #connect(one: Endpoint, other: Endpoint): void {
    const connection = ++this.#connections;
    const oneId = `${one.node}#${connection}`;
    const otherId = `${other.node}#${connection}`;
    one.links.set(otherId, { peer: { id: otherId, validator: other.validator }, far: other, farId: oneId, pending: new Set() });
    other.links.set(oneId, { peer: { id: oneId, validator: one.validator }, far: one, farId: otherId, pending: new Set() });
    for (const [endpoint, id] of [
      [one, otherId],
      [other, oneId],
    ] as const) {
      setImmediate(() => {
        const link = endpoint.links.get(id);
        if (link !== undefined) endpoint.handlers.connected(link.peer);
      });
    }
  }

  #disconnect(endpoint: Endpoint, link: Link): void {
    this.#end(link.far, link.farId);
    this.#end(endpoint, link.peer.id);
  }

  #end(endpoint: Endpoint, peerId: string): void {
    const link = endpoint.links.get(peerId);
    if (link === undefined) return;
    endpoint.links.delete(peerId);
    for (const ended of [...link.pending]) ended();
    // A process that was detached hears nothing any more.
    if (this.#endpoints.get(endpoint.node) === endpoint) setImmediate(() => endpoint.handlers.disconnected(link.peer));
  }

  #send(from: Endpoint, link: Link | undefined, bytes: Uint8Array): void {
    if (link === undefined) return;
    const frame = { from: from.node, kind: 'message', bytes } as const;
    this.#observe(frame);
    if (!this.lost(frame)) this.#deliver(link, (peer) => link.far.handlers.message(peer, bytes));
  }

  /** Runs on the far side, unless the connection has ended by then. */
  #deliver(link: Link, arrive: (peer: Peer) => void): void {
    setImmediate(() => {
      const arrival = link.far.links.get(link.farId);
      if (arrival !== undefined) arrive(arrival.peer);
    });
  }

  #request(
    from: Endpoint,
    peerId: string,
    bytes: Uint8Array,
    limits: { timeoutMs: number; answerBytesMax: number },
  ): Promise<Result<Uint8Array>> {
    const link = from.links.get(peerId);
    if (link === undefined) return Promise.resolve(fail({ code: 'DISCONNECTED', peerId }));
    this.#observe({ from: from.node, kind: 'request', bytes });
    return new Promise((resolve) => {
      const finish = (result: Result<Uint8Array>): void => {
        clearTimeout(timer);
        link.pending.delete(disconnected);
        resolve(result);
      };
      const disconnected = (): void => finish(fail({ code: 'DISCONNECTED', peerId }));
      const timer = setTimeout(() => finish(fail({ code: 'TIMEOUT', peerId })), limits.timeoutMs);
      link.pending.add(disconnected);
      this.#deliver(link, (peer) => {
        void link.far.handlers.request(peer, bytes).then((answer) => {
          if (answer === undefined) return finish(fail({ code: 'NO_ANSWER', peerId }));
          this.#observe({ from: link.far.node, kind: 'answer', bytes: answer });
          if (answer.length > limits.answerBytesMax) finish(fail({ code: 'TOO_LARGE', peerId }));
          else finish(ok(answer));
        });
      });
    });
  }
}

function laneOf(from: Endpoint, to: Endpoint): Lane {
  return from.validator !== undefined && to.validator !== undefined ? 'committee' : 'gossip';
}
