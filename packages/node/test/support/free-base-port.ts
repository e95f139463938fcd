import { freePorts } from '../../src/free-ports.ts';

/** Between the ports of the RPC and those of p2p. */
const P2P_DISTANCE = 1_000;
/** Ports of one process, for the RPC and as many for p2p. */
const PORTS = 40;
/** Processes whose ports of the RPC lie below the first one of p2p: the two never share a range. */
const PER_RANGE = P2P_DISTANCE / PORTS;
const RANGES = 6;

/**
 * A port from which on a testnet finds its own free: those of the RPC there, those of p2p 1,000 above. Apart for each process, because all of
 * them look at the same time, and below 32,768, where Linux begins to take a port for each connection that is made: a
 * node that is down for a moment would find its own taken.
 */
export async function freeBasePort(): Promise<number> {
  const place = process.pid % (PER_RANGE * RANGES);
  const from = 20_000 + 2 * P2P_DISTANCE * Math.floor(place / PER_RANGE) + PORTS * (place % PER_RANGE);
  const { rpcPort } = await freePorts('127.0.0.1', from, from + P2P_DISTANCE);
  return rpcPort;
}
