import type { Peer, Transport } from '@nacre/base';
import type { Vote } from '@nacre/consensus';
import { ANSWER_BYTES_MAX, decodeMessage, decodeRequest, encodeMessage, type Message, type Request } from '@nacre/replica';
import type { TestHub } from './test-hub.ts';
import type { TestKey } from './test-keys.ts';

type MessageOf<Kind extends Message['kind']> = Extract<Message, { kind: Kind }>;

/** A peer that says and answers what a test tells it to. On its own it only acknowledges the instances of others. */
export class Puppet {
  readonly name: string;
  readonly key: TestKey | null;
  readonly received: Message[] = [];
  readonly requests: Request[] = [];
  acknowledges = true;
  /** Votes that it confronts others with when they claim their instance. */
  confrontsWith: readonly Vote[] = [];
  answer: (request: Request, frame: Uint8Array) => Promise<Uint8Array | undefined> = async () => undefined;
  readonly #transport: Transport;

  /** @param key null: a follower */
  constructor(name: string, key: TestKey | null, hub: TestHub) {
    this.name = name;
    this.key = key;
    this.#transport = hub.join(name, key?.address);
    this.#transport.start({
      connected: () => {},
      disconnected: () => {},
      message: (peer, frame) => this.#receive(peer, frame),
      request: async (_, frame) => {
        const decoded = decodeRequest(frame);
        if (!decoded.ok) return undefined;
        this.requests.push(decoded.value);
        return this.answer(decoded.value, frame);
      },
    });
  }

  get peers(): readonly Peer[] {
    return this.#transport.peers();
  }

  /** To everyone it is connected to. */
  say(message: Message): void {
    this.sayBytes(encodeMessage(message));
  }

  sayBytes(frame: Uint8Array): void {
    for (const { id } of this.#transport.peers()) this.#transport.send(id, frame);
  }

  ask(frame: Uint8Array) {
    const peer = this.#transport.peers()[0] as Peer;
    return this.#transport.request(peer.id, frame, { timeoutMs: 1_000, answerBytesMax: ANSWER_BYTES_MAX });
  }

  heard<Kind extends Message['kind']>(kind: Kind): MessageOf<Kind>[] {
    return this.received.filter((message): message is MessageOf<Kind> => message.kind === kind);
  }

  /** Every vote heard, in order. */
  votes(): Vote[] {
    return this.heard('votes').flatMap(({ votes }) => votes);
  }

  #receive(peer: Peer, frame: Uint8Array): void {
    const decoded = decodeMessage(frame);
    if (!decoded.ok) throw new Error(`${this.name} was sent what does not decode: ${decoded.error.code}`);
    this.received.push(decoded.value);
    if (decoded.value.kind !== 'instance') return;
    const { instance } = decoded.value;
    const answer: Message = { kind: 'instance-answer', instance, accepted: this.acknowledges, votes: [...this.confrontsWith] };
    this.#transport.send(peer.id, encodeMessage(answer));
  }
}
