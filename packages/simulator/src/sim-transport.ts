import { assert, fail, type Lane, ok, type Peer, type Refusal, type Result, type Transport, type TransportHandlers } from '@nacre/base';
import type { Connection, ConnectionEnd, Endpoint } from './connection.ts';
import type { ProcessLife } from './process-life.ts';
import type { SimNetwork } from './sim-network.ts';

const BROADCAST = -1;

/** The network as one process sees it: the `Transport` port over simulated connections. */
export class SimTransport implements Transport {
  readonly #network: SimNetwork;
  readonly #life: ProcessLife;
  readonly #join: (handlers: TransportHandlers) => Endpoint;
  #endpoint: Endpoint | null = null;

  constructor(network: SimNetwork, life: ProcessLife, join: (handlers: TransportHandlers) => Endpoint) {
    this.#network = network;
    this.#life = life;
    this.#join = join;
  }

  start(handlers: TransportHandlers): void {
    this.#life.assertAlive('its transport');
    assert(this.#endpoint === null, 'a transport starts once');
    this.#endpoint = this.#join(handlers);
  }

  peers(): readonly Peer[] {
    const endpoint = this.#started();
    return [...endpoint.connections.values()].map((connection) => connection.endOf(endpoint).peer);
  }

  send(peerId: string, frame: Uint8Array): void {
    const endpoint = this.#started();
    const connection = endpoint.connections.get(peerId);
    if (connection === undefined) return;
    const here = connection.endOf(endpoint);
    this.#observe('message', nodeBehind(connection, here), frame);
    this.#carryMessage(connection, here, frame);
  }

  broadcast(lane: Lane, frame: Uint8Array): void {
    const endpoint = this.#started();
    this.#observe('message', BROADCAST, frame);
    for (const connection of endpoint.connections.values()) {
      const here = connection.endOf(endpoint);
      if (lane === laneTo(endpoint, here)) this.#carryMessage(connection, here, frame);
    }
  }

  request(
    peerId: string,
    frame: Uint8Array,
    limits: { readonly timeoutMs: number; readonly answerBytesMax: number },
  ): Promise<Result<Uint8Array>> {
    const endpoint = this.#started();
    const connection = endpoint.connections.get(peerId);
    if (connection === undefined) return Promise.resolve(fail({ code: 'DISCONNECTED', peerId }));
    const here = connection.endOf(endpoint);
    this.#observe('request', nodeBehind(connection, here), frame);
    return new Promise((resolve) => {
      const finish = (result: Result<Uint8Array>): void => {
        if (!here.pendingRequests.delete(disconnect)) return;
        timer.cancel();
        if (!result.ok && result.error.code !== 'NO_ANSWER') this.#network.requestFailed();
        resolve(result);
      };
      const disconnect = (): void => finish(fail({ code: 'DISCONNECTED', peerId }));
      const timer = this.#life.schedule(limits.timeoutMs, () => finish(fail({ code: 'TIMEOUT', peerId, timeoutMs: limits.timeoutMs })));
      here.pendingRequests.add(disconnect);
      this.#ask(connection, here, frame, (answer) => finish(judgeAnswer(answer, limits.answerBytesMax)));
    });
  }

  penalize(peerId: string, offence: Refusal): void {
    const endpoint = this.#started();
    const connection = endpoint.connections.get(peerId);
    if (connection !== undefined) this.#network.penalize(connection, connection.endOf(endpoint), offence);
  }

  #carryMessage(connection: Connection, here: ConnectionEnd, frame: Uint8Array): void {
    const there = connection.otherThan(here);
    this.#network.carry('message', there, here, frame, (bytes) => there.endpoint.handlers.message(there.peer, bytes));
  }

  #ask(connection: Connection, here: ConnectionEnd, frame: Uint8Array, answered: (answer: Uint8Array) => void): void {
    const there = connection.otherThan(here);
    this.#network.carry('request', there, here, frame, (question) => {
      // Whatever rejects here is left unhandled on purpose: the port forbids it, and the run reports it.
      void there.endpoint.handlers.request(there.peer, question).then((answer) => {
        if (!there.open) return;
        const bytes = answer ?? NO_ANSWER;
        this.#network.observe({ from: there.endpoint.life.node, to: here.endpoint.life.node, kind: 'answer', bytes });
        this.#network.carry('answer', here, there, bytes, answered);
      });
    });
  }

  #started(): Endpoint {
    this.#life.assertAlive('its transport');
    assert(this.#endpoint !== null, 'a transport is used after it was started');
    return this.#endpoint;
  }

  #observe(kind: 'message' | 'request', to: number, bytes: Uint8Array): void {
    this.#network.observe({ from: this.#life.node, to, kind, bytes });
  }
}

/** Between validators frames go on the committee lane, to and from everyone else on the gossip lane. */
function laneTo(from: Endpoint, here: ConnectionEnd): Lane {
  return from.validator !== undefined && here.peer.validator !== undefined ? 'committee' : 'gossip';
}

function nodeBehind(connection: Connection, here: ConnectionEnd): number {
  return connection.otherThan(here).endpoint.life.node;
}

/** Stands on the wire for a stream that the other side closed without an answer. Told apart by identity. */
const NO_ANSWER = new Uint8Array(0);

function judgeAnswer(answer: Uint8Array, answerBytesMax: number): Result<Uint8Array> {
  if (answer === NO_ANSWER) return fail({ code: 'NO_ANSWER' });
  if (answer.length > answerBytesMax) return fail({ code: 'TOO_LARGE', bytes: answer.length, bytesMax: answerBytesMax });
  return ok(answer);
}
