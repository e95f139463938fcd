import type { Address, Peer, TransportHandlers } from '@nacre/base';
import type { ProcessLife } from './process-life.ts';

/** A started process on the network. */
export class Endpoint {
  readonly life: ProcessLife;
  readonly validator: Address | undefined;
  readonly handlers: TransportHandlers;
  /** Its open connections by id, in the order they were made in. */
  readonly connections = new Map<string, Connection>();

  constructor(life: ProcessLife, validator: Address | undefined, handlers: TransportHandlers) {
    this.life = life;
    this.validator = validator;
    this.handlers = handlers;
  }
}

/** One end of a connection: what the process at it sees of the other. */
export class ConnectionEnd {
  /** The other process, as this one knows it. */
  readonly peer: Peer;
  readonly endpoint: Endpoint;
  open = true;
  /** When the last frame of this direction (towards this end) arrives that keeps the order. */
  lastArrivalMs = 0;
  /** Frames sent towards this end, and the highest of them that has arrived: for telling that order was broken. */
  sentCount = 0;
  highestArrived = -1;
  /** Offences that this end's process has reported about the other. */
  offences = 0;
  /** What tells this end's requests under way that the connection has ended. */
  readonly pendingRequests = new Set<() => void>();

  constructor(endpoint: Endpoint, peer: Peer) {
    this.endpoint = endpoint;
    this.peer = peer;
  }
}

/** A connection between two processes, from its handshake to its end; a reconnection is another one. */
export class Connection {
  /** The same at both ends, distinct in the whole run. */
  readonly id: string;
  readonly ends: readonly [ConnectionEnd, ConnectionEnd];

  constructor(id: string, first: Endpoint, second: Endpoint) {
    this.id = id;
    this.ends = [
      new ConnectionEnd(first, { id, validator: second.validator }),
      new ConnectionEnd(second, { id, validator: first.validator }),
    ];
  }

  endOf(endpoint: Endpoint): ConnectionEnd {
    return this.ends[0].endpoint === endpoint ? this.ends[0] : this.ends[1];
  }

  otherThan(end: ConnectionEnd): ConnectionEnd {
    return this.ends[0] === end ? this.ends[1] : this.ends[0];
  }
}
