import { expect, test } from 'vitest';
import { SyncProgress } from '../src/sync-progress.ts';

const snapshot = (parts: number) => ({ height: 90_000, parts, partsTotal: 400, bytesTotal: 80_000_000, startedAtMs: 0 });

test('a snapshot is shown with a bar, rate and time left', () => {
  const progress = new SyncProgress();
  expect(progress.look({ mode: 'consensus', height: 0, snapshot: null }, 0)).toBeNull();
  expect(progress.look({ mode: 'syncing', height: 0, snapshot: snapshot(0) }, 1000)).toBe(
    '[..............................] state after block 90000: 0 of 400 parts, 0.0 MB/s',
  );
  // A hundred parts in two seconds, of 200 KB each.
  expect(progress.look({ mode: 'syncing', height: 0, snapshot: snapshot(100) }, 3000)).toBe(
    '[#######.......................] state after block 90000: 100 of 400 parts, 10.0 MB/s, about 6 s left',
  );
  expect(progress.look({ mode: 'syncing', height: 0, snapshot: snapshot(410) }, 4000)).toContain('410 of 410 parts');
});

test('blocks are counted anew after a snapshot', () => {
  const progress = new SyncProgress();
  progress.look({ mode: 'syncing', height: 0, snapshot: snapshot(10) }, 0);
  expect(progress.look({ mode: 'syncing', height: 90_000, snapshot: null }, 1000)).toBe('fetching blocks: at 90000, 0 blocks/s');
  expect(progress.look({ mode: 'syncing', height: 92_000, snapshot: null }, 2000)).toBe('fetching blocks: at 92000, 2000 blocks/s');
  expect(progress.look({ mode: 'consensus', height: 92_001, snapshot: null }, 2500)).toBeNull();
});
