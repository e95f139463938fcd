import { expect, test } from 'vitest';
import { Slots } from '../src/slots.ts';

const never = new AbortController().signal;

test('places are given in the order in which they were asked for', async () => {
  const slots = new Slots(1);
  const order: number[] = [];
  const takers = [1, 2, 3].map(async (mark) => {
    await slots.take(never);
    order.push(mark);
    slots.release();
  });
  await Promise.all(takers);
  expect(order).toEqual([1, 2, 3]);
});

test('who gives up waiting takes nobody’s place', async () => {
  const slots = new Slots(1);
  await slots.take(never);
  const impatient = new AbortController();
  const [first, second] = [slots.take(impatient.signal), slots.take(never)];
  impatient.abort();
  slots.release();
  expect(await Promise.all([first, second])).toEqual([false, true]);
});

// @mutation packages/network/src/slots.ts
// -     if (this.#waiting.size >= WAITING_MAX) return Promise.resolve(false);
// +     if (this.#waiting.size > WAITING_MAX) return Promise.resolve(false);
test('the number of those who wait is bounded', async () => {
  const slots = new Slots(0);
  for (let i = 0; i < 256; i++) void slots.take(never);
  expect(await Promise.race([slots.take(never), new Promise((resolve) => setImmediate(resolve, 'waits'))])).toBe(false);
});
