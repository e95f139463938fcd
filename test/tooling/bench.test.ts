import { expect, test } from 'vitest';
import { quantile } from '../../scripts/bench/quantile.ts';
import { TableBench } from '../../scripts/bench/table-bench.ts';

test('a quantile lies between the two nearest samples, in whatever order they come', () => {
  expect(quantile([3, 1, 2], 0.5)).toBe(2);
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([10, 0], 0.1)).toBeCloseTo(1);
  expect(quantile([5], 0.9)).toBe(5);
});

test('a row waits for what it measures, counts items instead of calls, and is printed with its spread', async () => {
  const lines: string[] = [];
  const bench = new TableBench((line) => lines.push(line));
  let running = 0;
  const median = await bench.measure('ten items', { unit: 'item', perIteration: 10 }, async () => {
    expect(running++).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    running--;
  });
  bench.note('twice as fast');
  // Timers of 20 ms may end up to 1 ms early by the clock that measures them; there is no upper bound on a busy machine.
  expect(median).toBeGreaterThan(1800);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/ten items +[\d.]+ m?s +\([\d.]+ m?s … [\d.]+ m?s\) +per item, \d+ samples/);
  expect(lines[1]).toContain('twice as fast');
});
