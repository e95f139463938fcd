import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeCall {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** What to answer: a body, nothing at all (null), or another place to ask. */
type Answer = string | null | { readonly location: string };

/** The body of a successful answer. */
export function resultBody(result: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, result });
}

/** The body of an error with the given code. */
export function errorBody(code: string, fields: object = {}): string {
  const data = { code, retryable: true, hint: 'Do something.', ...fields };
  return JSON.stringify({ jsonrpc: '2.0', id: 1, error: { code: -32000, message: 'Refused.', data } });
}

/** An HTTP server that answers as a test wants it to. */
export class FakeNode {
  readonly calls: FakeCall[] = [];
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  static async start(answer: (call: FakeCall, index: number) => Answer): Promise<FakeNode> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const call = JSON.parse(Buffer.concat(chunks).toString()) as FakeCall;
        const body = answer(call, node.calls.push(call) - 1);
        if (body === null) return;
        if (typeof body === 'object') response.writeHead(307, body).end();
        else response.setHeader('content-type', 'application/json').end(body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const node = new FakeNode(server);
    return node;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
