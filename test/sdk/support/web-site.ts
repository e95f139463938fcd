import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface WebSite {
  readonly origin: string;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = { html: 'text/html', js: 'text/javascript' };

/** Serves files from memory, under the strictest policy for scripts that the SDK works with. */
export async function serveWebSite(files: Readonly<Record<string, string>>): Promise<WebSite> {
  const server = createServer((request, response) => {
    const name = request.url === '/' ? 'index.html' : (request.url ?? '').slice(1);
    const text = files[name];
    if (text === undefined) return void response.writeHead(404).end();
    const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src *; img-src data:";
    response.writeHead(200, { 'content-type': TYPES[name.split('.').at(-1) ?? ''] ?? '', 'content-security-policy': policy }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
