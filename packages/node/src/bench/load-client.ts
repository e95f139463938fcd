import { Agent, request } from 'node:http';

/** Transactions that are submitted with one HTTP request, whose body is made before a clock runs. */
export interface PreparedCall {
  /** Base64 each. */
  readonly transactions: readonly string[];
  readonly body: Uint8Array;
}

export function prepareCall(transactions: readonly string[]): PreparedCall {
  const calls = transactions.map((tx, id) => ({ jsonrpc: '2.0', id, method: 'tx_submit', params: { tx } }));
  return { transactions, body: Buffer.from(JSON.stringify(calls)) };
}

interface Answer {
  readonly id: number;
  readonly error?: { readonly message: string; readonly data?: { readonly retryable?: boolean } };
}

/** Submits what is prepared, with as little work of its own as it can: it shares the cores with the network that it loads. */
export class LoadClient {
  readonly #agent = new Agent({ keepAlive: true });

  /**
   * @returns those that the node was too busy for
   * @throws {Error} if it refuses one for good
   */
  async submit(url: string, { transactions, body }: PreparedCall): Promise<string[]> {
    const answers = JSON.parse(await this.#post(url, body)) as readonly Answer[];
    // A whole request is refused with one answer: too many at a time.
    if (!Array.isArray(answers)) return [...transactions];
    const refused: string[] = [];
    for (const { id, error } of answers as readonly Answer[]) {
      if (error === undefined) continue;
      if (error.data?.retryable !== true) throw new Error(`tx_submit: ${error.message}`);
      refused.push(transactions[id] as string);
    }
    return refused;
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(url: string, body: Uint8Array): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': body.length };
      const sent = request(url, { method: 'POST', agent: this.#agent, headers }, (response) => {
        const chunks: Uint8Array[] = [];
        response.on('data', (chunk: Uint8Array) => chunks.push(chunk));
        response.on('end', () => resolve(Buffer.concat(chunks).toString()));
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
}
