import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { traceHashes } from '../src/trace-hashes.ts';

test('the recorded seeds have the traces that they had, on this machine as on any other', async () => {
  const recorded = JSON.parse(readFileSync(new URL('./trace-hashes.json', import.meta.url), 'utf8')) as unknown;
  // Whoever changes what the program does records them anew: npm run --silent simulate -- --hashes > packages/simulator/test/trace-hashes.json
  expect(await traceHashes()).toEqual(recorded);
});
