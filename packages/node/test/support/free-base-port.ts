import { createServer } from 'node:net';
import { freePorts } from '../../src/free-ports.ts';

/** Between the ports of the RPC and those of p2p. */
const P2P_DISTANCE = 1_000;
/** Ports of one process, for the RPC and as many for p2p. */
const PORTS = 40;
/** Processes whose ports of the RPC lie below the first one of p2p: the two never share a range. */
const PER_RANGE = P2P_DISTANCE / PORTS;
const PLACES = 6 * PER_RANGE;

let own: Promise<number> | null = null;

/**
 * A port from which on a testnet finds its own free: those of the RPC there, those of p2p 1,000 above. Below 32,768, where Linux begins to take a
 * port for each connection that is made: a node that is down for a moment would find its own taken. And apart for each process that runs tests, for as
 * long as it lives: what is free while a node of another test restarts is not.
 */
export async function freeBasePort(): Promise<number> {
  own ??= reserve();
  const from = await own;
  const { rpcPort } = await freePorts('127.0.0.1', from, from + P2P_DISTANCE);
  return rpcPort;
}

async function reserve(): Promise<number> {
  for (let i = 0; i < PLACES; i++) {
    const place = (process.pid + i) % PLACES;
    const from = 20_000 + 2 * P2P_DISTANCE * Math.floor(place / PER_RANGE) + PORTS * (place % PER_RANGE);
    if (await holds(from + PORTS - 1)) return from;
  }
  throw new Error(`${PLACES} processes hold ports for tests`);
}

/** Listens until the process ends, however it ends: nobody else can meanwhile. */
function holds(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().unref();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve(true));
  });
}
