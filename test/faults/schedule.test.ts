import { describe, expect, test } from 'vitest';
import { cutOff, drawSchedule, endOf, FAULT_KINDS, type Fault, type Schedule } from './schedule.ts';

const SEEDS = Array.from({ length: 300 }, (_, seed) => seed);
const SIZES = [4, 7] as const;

const nodesOf = (fault: Fault): readonly number[] => (fault.kind === 'partition' ? [] : fault.nodes);

describe.each(SIZES)('of %i nodes', (nodes) => {
  const schedules = SEEDS.map((seed) => drawSchedule(seed, nodes));

  test('a seed draws the same faults every time, and another one others', () => {
    expect(SEEDS.map((seed) => drawSchedule(seed, nodes))).toEqual(schedules);
    expect(new Set(schedules.map(({ faults }) => JSON.stringify(faults))).size).toBe(SEEDS.length);
  });

  // @mutation test/faults/schedule.ts
  // - const breakable = root.fork('breakable').shuffle(all).slice(0, dispensable);
  // + const breakable = root.fork('breakable').shuffle(all).slice(0, dispensable + 1);
  test('only of less than a third of the nodes are disks ever damaged', () => {
    const damaged = schedules.map(({ faults }) => new Set(faults.filter(({ kind }) => kind === 'damage').flatMap(nodesOf)).size);
    expect(3 * Math.max(...damaged)).toBeLessThan(nodes);
    expect(Math.max(...damaged)).toBe(Math.ceil(nodes / 3) - 1);
  });

  // @mutation test/faults/schedule.ts
  // - const candidates = (kind === 'damage' ? damageable : all).filter((node) => !busy.has(node));
  // + const candidates = kind === 'damage' ? damageable : all;
  test('a node has one fault at a time, besides being cut off, and there is one partition at a time', () => {
    for (const { faults } of schedules) {
      for (const [at, fault] of faults.entries()) {
        const during = faults.slice(at + 1).filter((later) => later.atMs <= endOf(fault));
        if (fault.kind === 'partition') expect(during.map(({ kind }) => kind)).not.toContain('partition');
        for (const later of during) expect(nodesOf(later).filter((node) => nodesOf(fault).includes(node))).toEqual([]);
      }
    }
  });

  // @mutation test/faults/schedule.ts
  // - const most = leavesQuorum ? dispensable - away.size : nodes;
  // + const most = leavesQuorum ? dispensable : nodes;
  test('in most runs more than two thirds of the nodes are left alone at any time', () => {
    const awayAt = (faults: readonly Fault[], atMs: number): Set<number> => {
      const present = faults.filter((fault) => fault.atMs <= atMs && endOf(fault) >= atMs);
      return new Set(present.flatMap((fault) => (fault.kind === 'partition' ? cutOff(fault.groups) : fault.nodes)));
    };
    const isMild = ({ faults }: Schedule): boolean => faults.every(({ atMs }) => 3 * awayAt(faults, atMs).size < nodes);
    const mild = schedules.filter(isMild).length;
    expect(mild).toBeGreaterThan(SEEDS.length / 2);
    expect(mild).toBeLessThan((SEEDS.length * 3) / 4);
  });

  test('every fault begins and ends in time, in the order of their beginnings', () => {
    for (const { faults, faultsMs } of schedules) {
      expect(faults.map(({ atMs }) => atMs)).toEqual(faults.map(({ atMs }) => atMs).sort((a, b) => a - b));
      expect(Math.max(...faults.map(endOf), 0)).toBeLessThanOrEqual(faultsMs);
    }
  });

  test('the groups of a partition hold every node once', () => {
    const partitions = schedules.flatMap(({ faults }) => faults.filter((fault) => fault.kind === 'partition'));
    for (const { groups } of partitions) {
      expect(groups.length).toBeGreaterThan(1);
      expect(groups.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: nodes }, (_, node) => node));
    }
  });

  test('every kind of fault is drawn, and now and then all nodes are killed at once', () => {
    const all = schedules.flatMap(({ faults }) => faults);
    expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS));
    expect(all.filter((fault) => fault.kind === 'kill' && fault.nodes.length === nodes).length).toBeGreaterThan(0);
    expect(new Set(schedules.map(({ validityWindowMs }) => validityWindowMs)).size).toBe(2);
  });
});
