import type { RpcAnswer } from './rpc-node.ts';

export interface Notification {
  readonly method: 'event' | 'missed';
  readonly params: {
    readonly subscription: string;
    readonly topic: string;
    readonly cursor: string;
    readonly data: Readonly<Record<string, unknown>>;
    readonly from?: string;
    readonly to?: string;
  };
}

/** A client of the WebSocket that keeps what it hears. */
export class WebSocketClient {
  readonly heard: Notification[] = [];
  readonly #socket: WebSocket;
  readonly #answers = new Map<unknown, (answer: RpcAnswer) => void>();
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as RpcAnswer | Notification | RpcAnswer[];
      if (Array.isArray(message)) this.#answers.get('batch')?.({ jsonrpc: '2.0', id: null, result: message });
      else if ('method' in message) this.heard.push(message);
      else this.#answers.get(message.id)?.(message);
    });
  }

  static async connect(url: string): Promise<WebSocketClient> {
    const socket = new WebSocket(`${url.replace('http:', 'ws:')}/ws`);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve());
      socket.addEventListener('error', () => reject(new Error('no WebSocket')));
    });
    return new WebSocketClient(socket);
  }

  get closed(): Promise<{ readonly code: number }> {
    return new Promise((resolve) => this.#socket.addEventListener('close', ({ code }) => resolve({ code })));
  }

  async call(method: string, params: object = {}): Promise<RpcAnswer> {
    const id = this.#nextId++;
    return this.#ask(id, JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  }

  /** @returns the answer to a batch, as the result of an answer */
  async batch(text: string): Promise<RpcAnswer> {
    return this.#ask('batch', text);
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  async subscribe(params: object): Promise<{ readonly subscription: string; readonly cursor: string }> {
    const { result, error } = await this.call('subscribe', params);
    if (error !== undefined) throw new Error(JSON.stringify(error));
    return result as { subscription: string; cursor: string };
  }

  async close(): Promise<void> {
    const { closed } = this;
    this.#socket.close();
    await closed;
  }

  #ask(id: unknown, text: string): Promise<RpcAnswer> {
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      this.#socket.send(text);
    });
  }
}
