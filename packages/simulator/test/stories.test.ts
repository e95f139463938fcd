import { type Address, utf8 } from '@nacre/base';
import type { Operation } from '@nacre/ledger';
import { expect, test } from 'vitest';
import type { KeyHolder } from '../src/cluster.ts';
import { CalmCluster } from './support/calm-cluster.ts';

const service = (writers: readonly Address[], owner: KeyHolder) => ({
  name: 'levels',
  owners: [owner.address],
  writers,
  schemas: [{ name: 'level', version: 1 }],
  shard: 0,
  retentionMs: 0,
});
const append: Operation = {
  kind: 'record.append',
  service: 'levels',
  schema: 'level',
  schemaVersion: 1,
  mediaType: 'text/plain',
  records: [{ key: '', payload: utf8('payload') }],
};

// @mutation packages/replica/src/transaction-desk.ts
// - if (mempool.has(decoded.value.txId) || !ledger.includable(decoded.value, clock.nowMs()).ok) continue;
// + if (mempool.has(decoded.value.txId) || !ledger.admissible(decoded.value, clock.nowMs()).ok) continue;
test('a follower that was cut off acknowledges a record of a revoked writer: it ends as failed everywhere, and soon', async () => {
  const lab = new CalmCluster({ followers: 1 });
  const [owner, writer] = lab.cluster.validators as readonly KeyHolder[] as [KeyHolder, KeyHolder];
  const everyone = [0, 1, 2, 3, 4];
  await lab.start();
  await lab.commit(owner, { kind: 'service.create', ...service([writer.address], owner) }, everyone);
  lab.cluster.network.setReachable((a, b) => a !== 4 && b !== 4);
  await lab.commit(owner, { kind: 'service.update', ...service([], owner) }, everyone.slice(0, 4));

  const record = await lab.build(writer, append);
  expect(await lab.submit(0, record)).toBe('NOT_A_WRITER');
  expect(await lab.submit(4, record)).toBe('ok');
  lab.cluster.network.setReachable(() => true);
  await lab.until(() => lab.statuses(record).every((status) => status === 'failed'));
  expect(lab.violations).toEqual([]);
});

test('a minority stops deciding and still takes transactions; when the partition heals they are committed once, everywhere', async () => {
  const lab = new CalmCluster({ followers: 0 });
  const [owner] = lab.cluster.validators as readonly KeyHolder[] as [KeyHolder];
  await lab.start();
  await lab.commit(owner, { kind: 'service.create', ...service([owner.address], owner) }, [0, 1, 2, 3]);
  lab.cluster.network.setReachable((a, b) => a < 3 === b < 3);
  const minority = await lab.build(owner, append);
  expect(await lab.submit(3, minority)).toBe('ok');
  const majority = await lab.build(owner, append);
  expect(await lab.submit(0, majority)).toBe('ok');
  await lab.until(() => lab.statuses(majority).filter((status) => status === 'committed').length === 3);
  expect(lab.statuses(minority)).toEqual(['unknown', 'unknown', 'unknown', 'admitted']);
  expect(lab.statuses(majority)[3]).toBe('unknown');

  lab.cluster.network.setReachable(() => true);
  await lab.until(() => [minority, majority].every((transaction) => lab.statuses(transaction).every((status) => status === 'committed')));
  expect(lab.violations).toEqual([]);
});

test('without a quorum nobody decides, and nothing that was admitted is lost meanwhile', async () => {
  const lab = new CalmCluster({ followers: 0 });
  const [owner] = lab.cluster.validators as readonly KeyHolder[] as [KeyHolder];
  await lab.start();
  await lab.commit(owner, { kind: 'service.create', ...service([owner.address], owner) }, [0, 1, 2, 3]);
  lab.cluster.network.setReachable((a, b) => a < 2 === b < 2);
  const { height } = lab.chain;
  const sides = [await lab.build(owner, append), await lab.build(owner, append)] as const;
  expect(await lab.submit(0, sides[0])).toBe('ok');
  expect(await lab.submit(3, sides[1])).toBe('ok');
  await lab.machine.pass(15_000);
  expect(lab.chain.height).toBe(height);

  lab.cluster.network.setReachable(() => true);
  await lab.until(() => sides.every((transaction) => lab.statuses(transaction).every((status) => status === 'committed')));
  expect(lab.violations).toEqual([]);
});
