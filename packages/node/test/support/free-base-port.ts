import { freePorts } from '../../src/free-ports.ts';

/** Between the ports of the RPC and those of p2p. */
const P2P_DISTANCE = 1_000;

/**
 * A port from which on a testnet finds its own free: those of the RPC there, those of p2p 1,000 above. Apart for each process, because all of
 * them look at the same time, and below 32,768, where Linux begins to take a port for each connection that is made: a
 * node that is down for a moment would find its own taken.
 */
export async function freeBasePort(): Promise<number> {
  const from = 20_000 + 40 * (process.pid % 280);
  const { rpcPort } = await freePorts('127.0.0.1', from, from + P2P_DISTANCE);
  return rpcPort;
}
