import { utf8 } from '@nacre/base';
import type { Operation } from '@nacre/ledger';
import { type Cluster, type Key, testKey } from './cluster.ts';

/** Makes an account per node and one service that all of them may write. @returns their keys, in the order of the nodes */
export async function foundService(cluster: Cluster, service: string): Promise<Key[]> {
  const writers = cluster.validators.map((_, node) => testKey(100 + node));
  const accounts = await Promise.all(
    writers.map(({ signer }, node) =>
      cluster.submit(node, cluster.validators[node] as Key, [{ kind: 'account.create', publicKey: signer.publicKey }]),
    ),
  );
  await cluster.committed(accounts);
  const addresses = writers.map(({ address }) => address).sort(Buffer.compare);
  const schemas = [{ name: 'price', version: 1 }];
  const definition = { name: service, owners: [addresses[0] as Uint8Array], writers: addresses, schemas, shard: 0, retentionMs: 0 };
  const owner = writers.find(({ address }) => address === addresses[0]) as Key;
  await cluster.committed([await cluster.submit(0, owner, [{ kind: 'service.create', ...definition }])]);
  return writers;
}

/** Appends records; those without a key are given as a text alone. */
export function prices(service: string, records: readonly (string | readonly [key: string, text: string])[]): Operation {
  const list = records.map((record) => (typeof record === 'string' ? (['', record] as const) : record));
  return {
    kind: 'record.append',
    service,
    schema: 'price',
    schemaVersion: 1,
    mediaType: 'text/plain',
    records: list.map(([key, text]) => ({ key, payload: utf8(text) })),
  };
}
