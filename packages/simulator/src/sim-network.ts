import { type Address, assert, FRAME_BYTES_MAX, type Refusal, type Transport } from '@nacre/base';
import { Connection, type ConnectionEnd, Endpoint } from './connection.ts';
import type { FaultTally } from './fault-tally.ts';
import { CALM_CONDITIONS, type NetworkConditions } from './network-conditions.ts';
import type { ProcessLife } from './process-life.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import { SimTransport } from './sim-transport.ts';
import type { Trace } from './trace.ts';

/** Time of a handshake between two processes that can reach each other, in virtual ms. */
const CONNECT_MS: readonly [number, number] = [2, 30];
/** Time until the first attempt after a cut: mostly none, sometimes a broken line. */
const BROKEN_MS: readonly [number, number] = [200, 3_000];
const BROKEN_CHANCE = 0.2;
/** Time after which a process sees that the other end crashed; sometimes the machine is gone and only a keep-alive tells. */
const CRASH_SEEN_MS: readonly [number, number] = [0, 20];
const CRASH_SEEN_LATE_MS: readonly [number, number] = [1_000, 4_000];
const CRASH_SEEN_LATE_CHANCE = 0.1;
/** Offences after which a process ends the connection. */
const OFFENCES_MAX = 20;

export type FrameKind = 'message' | 'request' | 'answer';

/** A frame on its way out of a process. */
export interface OutgoingFrame {
  readonly from: number;
  readonly to: number;
  readonly kind: FrameKind;
  readonly bytes: Uint8Array;
}

/** What a Byzantine node lets out in place of a frame. */
export interface InterposedFrame {
  readonly bytes: Uint8Array;
  /** How much later than it was due, in virtual ms. */
  readonly delayMs: number;
}

export interface NetworkHooks {
  /** Sees every frame that leaves a process: once for each broadcast, which `to` -1 marks, and once for each other frame. */
  readonly observe?: (frame: OutgoingFrame) => void;
  /** What really leaves in place of a frame: itself, altered, several, later, or nothing. For Byzantine senders. */
  readonly interpose?: (frame: OutgoingFrame) => readonly InterposedFrame[];
  /** What the process behind `to` gets to see of a frame that has arrived; null: nothing. For Byzantine receivers. */
  readonly accept?: (frame: OutgoingFrame) => Uint8Array | null;
  /** A process told its transport that a peer broke a rule. */
  readonly penalized?: (by: number, peer: number, offence: Refusal) => void;
}

export interface SimNetworkDependencies {
  readonly random: SeededRandom;
  readonly scheduler: Scheduler;
  readonly tally: FaultTally;
  readonly trace: Trace;
}

/**
 * Connections between all pairs of running processes, with ordered delivery like TCP as long as no fault interferes.
 * Conditions and reachability may change at any time; a frame is judged when it is sent.
 */
export class SimNetwork {
  readonly scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #tally: FaultTally;
  readonly #trace: Trace;
  readonly #hooks: NetworkHooks;
  readonly #endpoints = new Map<number, Endpoint>();
  readonly #connections = new Set<Connection>();
  #conditions: NetworkConditions = CALM_CONDITIONS;
  #reachable: (a: number, b: number) => boolean = () => true;
  #carries: (from: number, to: number) => boolean = () => true;
  #distanceMs: (from: number, to: number) => number = () => 0;
  #connectionCount = 0;
  #cutTimerGeneration = 0;

  constructor(hooks: NetworkHooks, { random, scheduler, tally, trace }: SimNetworkDependencies) {
    this.#hooks = hooks;
    this.#random = random;
    this.scheduler = scheduler;
    this.#tally = tally;
    this.#trace = trace;
  }

  /** The transport of one process. It is on the network from `start` on, until `detach`. */
  attach(life: ProcessLife, validator: Address | undefined): Transport {
    return new SimTransport(this, life, (handlers) => this.#join(new Endpoint(life, validator, handlers)));
  }

  setConditions(conditions: NetworkConditions): void {
    this.#conditions = conditions;
    this.#scheduleCut(++this.#cutTimerGeneration);
  }

  /** Which pairs can reach each other: cuts connections that now cross a border, makes those that no longer do. */
  setReachable(reachable: (a: number, b: number) => boolean): void {
    this.#reachable = reachable;
    for (const connection of [...this.#connections]) {
      const [first, second] = connection.ends;
      if (!reachable(first.endpoint.life.node, second.endpoint.life.node)) this.cut(connection);
    }
    const endpoints = [...this.#endpoints.values()];
    for (const [index, endpoint] of endpoints.entries()) for (const other of endpoints.slice(index + 1)) this.#connect(endpoint, other, 0);
  }

  /** Which directions of a connection carry anything: what is sent the other way is lost and the connection stays, as far as both ends know. */
  setCarries(carries: (from: number, to: number) => boolean): void {
    this.#carries = carries;
  }

  /** What a frame takes at least from one node to another, in virtual ms, on top of the conditions. */
  setDistances(distanceMs: (from: number, to: number) => number): void {
    this.#distanceMs = distanceMs;
  }

  /** Sends a message of a node that its process knows nothing of, as a Byzantine one does; nothing happens without a connection. */
  inject(from: number, to: number, bytes: Uint8Array): void {
    const endpoint = this.#endpoints.get(from);
    for (const connection of endpoint?.connections.values() ?? []) {
      const there = connection.otherThan(connection.endOf(endpoint as Endpoint));
      if (there.endpoint.life.node !== to) continue;
      return this.#carryOne('message', there, from, { bytes, delayMs: 0 }, (frame) => there.endpoint.handlers.message(there.peer, frame));
    }
  }

  /** Takes a crashed process off the network: frames to it are lost, others learn of it a little later. */
  detach(life: ProcessLife): void {
    const endpoint = this.#endpoints.get(life.node);
    if (endpoint === undefined || endpoint.life !== life) return;
    this.#endpoints.delete(life.node);
    for (const connection of endpoint.connections.values()) {
      connection.endOf(endpoint).open = false;
      const range = this.#random.chance(CRASH_SEEN_LATE_CHANCE) ? CRASH_SEEN_LATE_MS : CRASH_SEEN_MS;
      // What the process had sent and arrives by then still arrives, as from a kernel's send buffer.
      this.scheduler.schedule(this.#random.between(...range), () => this.#close(connection));
    }
  }

  /** Ends a connection between live processes; they connect again after a while if they can reach each other. */
  cut(connection: Connection): void {
    const [first, second] = connection.ends;
    if (!first.open || !second.open) return;
    this.#tally.add('connectionCut');
    this.#close(connection);
    this.#connect(first.endpoint, second.endpoint, this.#random.chance(BROKEN_CHANCE) ? this.#random.between(...BROKEN_MS) : 0);
  }

  /** Shows a frame that leaves to whoever watches, before any fault. */
  observe(frame: OutgoingFrame): void {
    assert(
      frame.bytes.length <= FRAME_BYTES_MAX,
      `node ${frame.from} sends a frame of ${frame.bytes.length} bytes, more than any peer reads`,
    );
    this.#hooks.observe?.(frame);
  }

  /**
   * Carries a frame to one end of a connection, or loses it, or carries it twice; `arrive` runs at each arrival.
   * Requests and answers travel on streams of their own and keep no order.
   */
  carry(kind: FrameKind, to: ConnectionEnd, from: ConnectionEnd, bytes: Uint8Array, arrive: (bytes: Uint8Array) => void): void {
    const route = { from: from.endpoint.life.node, to: to.endpoint.life.node };
    if (!this.#carries(route.from, route.to)) {
      if (to.open) this.#tally.add('framePartitioned');
      return;
    }
    const frames = this.#hooks.interpose?.({ ...route, kind, bytes }) ?? [{ bytes, delayMs: 0 }];
    for (const frame of frames) {
      if (this.#random.chance(this.#conditions.lossChance)) {
        if (to.open) this.#tally.add('frameLost');
        continue;
      }
      this.#carryOne(kind, to, route.from, frame, arrive);
      if (this.#random.chance(this.#conditions.duplicateChance)) {
        this.#carryOne(kind, to, route.from, frame, (copy) => {
          this.#tally.add('frameDuplicated');
          arrive(copy);
        });
      }
    }
  }

  /** A request found no answer: counts the fault. */
  requestFailed(): void {
    this.#tally.add('requestFailed');
  }

  /** A process reports its peer; enough reports end the connection. */
  penalize(connection: Connection, end: ConnectionEnd, offence: Refusal): void {
    const peerNode = connection.otherThan(end).endpoint.life.node;
    this.#hooks.penalized?.(end.endpoint.life.node, peerNode, offence);
    end.offences++;
    if (end.offences === OFFENCES_MAX) this.scheduler.schedule(0, () => this.cut(connection));
  }

  #carryOne(
    kind: FrameKind,
    to: ConnectionEnd,
    from: number,
    { bytes: sent, delayMs }: InterposedFrame,
    arrive: (bytes: Uint8Array) => void,
  ): void {
    const sentAtMs = this.scheduler.nowMs + delayMs;
    const spike = this.#random.chance(this.#conditions.spikeChance);
    let arrivalMs = sentAtMs + this.#distanceMs(from, to.endpoint.life.node) + this.#drawDelay(spike);
    const sequence = kind === 'message' ? to.sentCount++ : -1;
    // What is held back on purpose does not hold up what comes after it.
    if (kind === 'message' && delayMs === 0 && !this.#random.chance(this.#conditions.reorderChance)) {
      arrivalMs = Math.max(arrivalMs, to.lastArrivalMs);
      to.lastArrivalMs = arrivalMs;
    }
    this.scheduler.at(arrivalMs, () => {
      const { life } = to.endpoint;
      if (!to.open || !life.alive) return;
      if (kind === 'message') {
        if (sequence < to.highestArrived) this.#tally.add('frameReordered');
        else to.highestArrived = sequence;
      }
      if (spike) this.#tally.add('frameDelayed');
      const frame = this.#hooks.accept === undefined ? sent : this.#hooks.accept({ from, to: life.node, kind, bytes: sent });
      if (frame === null) return;
      const number = frame.length;
      this.#trace.add(this.scheduler.nowMs, kind === 'message' ? 'deliver' : kind, life.node, from, number, frame, sentAtMs);
      arrive(frame);
    });
  }

  #drawDelay(spike: boolean): number {
    const { delayMinMs, delayMeanMs, spikeMs } = this.#conditions;
    return spike ? this.#random.between(...spikeMs) : delayMinMs + this.#random.exponential(delayMeanMs);
  }

  #join(endpoint: Endpoint): Endpoint {
    for (const other of this.#endpoints.values()) this.#connect(endpoint, other, 0);
    this.#endpoints.set(endpoint.life.node, endpoint);
    return endpoint;
  }

  /** Connects two processes after a handshake, if by then they still run, reach each other and are not connected. */
  #connect(first: Endpoint, second: Endpoint, waitMs: number): void {
    this.scheduler.schedule(waitMs + this.#random.between(...CONNECT_MS), () => {
      const nodes = [first.life.node, second.life.node] as const;
      if (!first.life.alive || !second.life.alive || !this.#reachable(...nodes) || areConnected(first, second)) return;
      const connection = new Connection(`c${this.#connectionCount++}`, first, second);
      this.#connections.add(connection);
      this.#trace.add(this.scheduler.nowMs, 'connect', nodes[0], nodes[1], this.#connectionCount);
      for (const end of connection.ends) end.endpoint.connections.set(connection.id, connection);
      for (const end of connection.ends) end.endpoint.handlers.connected(end.peer);
    });
  }

  /** Ends the connection at both ends now. What is still on its way is lost. */
  #close(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    const [first, second] = connection.ends;
    this.#trace.add(this.scheduler.nowMs, 'disconnect', first.endpoint.life.node, second.endpoint.life.node, 0);
    for (const end of connection.ends) {
      const wasOpen = end.open;
      end.open = false;
      end.endpoint.connections.delete(connection.id);
      if (!wasOpen || !end.endpoint.life.alive) continue;
      for (const disconnect of [...end.pendingRequests]) disconnect();
      end.endpoint.handlers.disconnected(end.peer);
    }
  }

  #scheduleCut(generation: number): void {
    const { cutMeanMs } = this.#conditions;
    if (cutMeanMs === 0) return;
    this.scheduler.schedule(this.#random.exponential(cutMeanMs), () => {
      if (generation !== this.#cutTimerGeneration) return;
      const connections = [...this.#connections];
      if (connections.length > 0) this.cut(this.#random.pick(connections));
      this.#scheduleCut(generation);
    });
  }
}

function areConnected(first: Endpoint, second: Endpoint): boolean {
  for (const connection of first.connections.values()) if (connection.otherThan(connection.endOf(first)).endpoint === second) return true;
  return false;
}
