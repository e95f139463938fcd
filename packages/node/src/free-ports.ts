import { createServer } from 'node:net';
import { NodeError } from './node-error.ts';

/** Ports tried one after the other. */
const TRIES_MAX = 200;

/**
 * The first pair of ports from a base on, one for the RPC and one for p2p, on which nothing listens now.
 *
 * @throws {NodeError} `ARGUMENT_INVALID` if there is none among the next 200
 */
export async function freePorts(host: string, rpcPort: number, p2pPort: number): Promise<{ rpcPort: number; p2pPort: number }> {
  for (let i = 0; i < TRIES_MAX; i++) {
    const pair = { rpcPort: rpcPort + i, p2pPort: p2pPort + i };
    if ((await isFree(host, pair.rpcPort)) && (await isFree(host, pair.p2pPort))) return pair;
  }
  throw new NodeError('ARGUMENT_INVALID', `no free ports from ${rpcPort} and ${p2pPort} on`, { hint: 'Give --rpc-port and --listen.' });
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
