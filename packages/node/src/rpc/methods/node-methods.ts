import { toHex } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { z } from 'zod';
import type { NodeBackend } from '../../backend.ts';
import { NetworkStateJson, networkStateJson, SyncJson, syncJson } from '../health-json.ts';
import { defineMethod, type Method } from '../method.ts';
import { addressText, chainNumber, count, hashText, timeMs } from '../schemas.ts';

const none = z.strictObject({});

/** The node itself and its peers. */
export function nodeMethods(backend: NodeBackend): Method[] {
  const { ledger, genesis } = backend;
  return [
    defineMethod({
      name: 'node_status',
      summary: 'Who this node is, how far it has come, and what it can do at present.',
      params: none,
      result: z.strictObject({
        nodeId: z.string().describe('Peer id'),
        address: addressText.nullable().describe("The validator's; null for a follower"),
        chainId: z.string().describe("The network's name"),
        genesisHash: hashText.describe("The network's identity"),
        version: z.string(),
        networkState: NetworkStateJson,
        chains: z.array(
          z.strictObject({
            chain: chainNumber,
            height: count,
            blockHash: hashText,
            timeMs,
            catchingUp: z.boolean(),
            sync: SyncJson.describe('How far it has caught up, or did the last time'),
            validator: z.boolean().describe('Whether this node is one of the committee of the next height'),
          }),
        ),
        store: z
          .strictObject({
            firstHeight: count.describe('Lowest height from which all blocks are here'),
            scrub: z
              .enum(['state', 'blocks', 'checksums'])
              .nullable()
              .describe('What is being gone through for damage; null while nothing is'),
            damagesFound: count.describe('Since the start'),
            damagesMended: count,
            damagesWaiting: count.describe('Found, and given by no peer yet'),
            setAside: count.describe('Damaged stores that lie beside this one'),
          })
          .describe('How the store is'),
        peers: count,
      }),
      errors: [],
      handle: () => {
        const { height, blockHash, timeMs: blockTimeMs, mode, peers } = backend.status();
        const { address } = backend;
        const chain = {
          chain: genesis.context.chain,
          height,
          blockHash: toHex(blockHash),
          timeMs: blockTimeMs,
          catchingUp: mode === 'syncing',
          sync: syncJson(backend.health().sync),
          validator: address !== null && ledger.committeeAt(height + 1).indexOf(address) !== null,
        };
        const { part, found, mended, waiting, setAside } = backend.storeHealth();
        const damages = { damagesFound: found, damagesMended: mended, damagesWaiting: waiting };
        return {
          nodeId: backend.nodeId,
          address: address === null ? null : formatAddress(address),
          chainId: genesis.network,
          genesisHash: toHex(genesis.hash),
          version: backend.version,
          networkState: networkStateJson(backend.networkState()),
          chains: [chain],
          store: { firstHeight: ledger.firstHeight, scrub: part, ...damages, setAside },
          peers,
        };
      },
    }),
    defineMethod({
      name: 'net_peers',
      summary: 'The connected peers, and how the links to them are protected.',
      params: none,
      result: z.strictObject({
        peers: z.array(
          z.strictObject({
            peerId: z.string(),
            address: addressText.nullable().describe('The validator whose key the peer has proven; null for a follower'),
            multiaddr: z.string(),
            direction: z.enum(['inbound', 'outbound']),
            security: z.strictObject({ protocol: z.string(), group: z.string() }),
            score: z.number(),
            latencyMs: z.number().nullable(),
            bytesIn: count,
            bytesOut: count,
          }),
        ),
      }),
      errors: [],
      handle: () => ({
        peers: backend.peers().map(({ peerId, address, multiaddr, direction, security, score, latencyMs, bytesIn, bytesOut }) => ({
          peerId,
          address: address === null ? null : formatAddress(address),
          multiaddr,
          direction,
          security: { protocol: security.protocol, group: security.group },
          score,
          latencyMs,
          bytesIn,
          bytesOut,
        })),
      }),
    }),
  ];
}
