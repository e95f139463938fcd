import { bytesEqual, toHex } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { z } from 'zod';
import type { NodeBackend } from '../../backend.ts';
import { HealthJson, networkStateJson, partitionJson, sideJson, syncJson } from '../health-json.ts';
import { defineMethod, type Method } from '../method.ts';

/** What this node sees of the network's health and its own. */
export function healthMethods(backend: NodeBackend): Method[] {
  const { ledger, genesis, address: self } = backend;
  return [
    defineMethod({
      name: 'node_health',
      summary:
        'Who reaches whom: the validators that this node hears, the sides of a partition, earlier partitions, and how far it has caught up.',
      params: z.strictObject({}),
      result: HealthJson,
      errors: [],
      handle: () => {
        const { sides, history, heard, sync } = backend.health();
        const { height } = ledger.tip;
        const { totalWeight, validators } = ledger.committeeAt(height + 1);
        return {
          networkState: networkStateJson(backend.networkState()),
          height,
          totalWeight,
          neededWeight: Math.floor((2 * totalWeight) / 3) + 1,
          nodes: validators.map(({ address, weight }) => {
            const isSelf = self !== null && bytesEqual(address, self);
            return {
              address: formatAddress(address),
              name: genesis.validators.find((known) => bytesEqual(known.address, address))?.name ?? null,
              weight,
              self: isSelf,
              heard: isSelf || heard.includes(toHex(address)),
            };
          }),
          sides: sides.map(sideJson),
          partitions: history.map(partitionJson),
          sync: syncJson(sync),
        };
      },
    }),
  ];
}
