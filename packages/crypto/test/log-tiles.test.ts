import { AssertionError, type Hash, toHex } from '@nacre/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AppendedLog,
  appendToLog,
  type CryptoError,
  consistencyProof,
  EMPTY_LOG_ROOT,
  frontierTiles,
  inclusionProof,
  LOG_FRONTIER_BYTES_MAX,
  type LogPeaks,
  logFrontier,
  logRootAt,
  type TiledLog,
  type TileReader,
  verifyConsistency,
  verifyInclusion,
} from '../src/index.ts';
import { naiveConsistency, naiveInclusion, naiveRoot, someLeaves } from './log-oracle.ts';

/** A log on a map of tiles, appended to in steps of the given sizes. */
class StoredLog {
  readonly tiles = new Map<string, Uint8Array>();
  size = 0;

  readonly readTile: TileReader = (level, index) => this.tiles.get(`${level}/${index}`);

  append(leaves: readonly Hash[]): AppendedLog {
    const appended = appendToLog({ size: this.size, readTile: this.readTile }, leaves);
    for (const { level, index, bytes } of appended.tiles) this.tiles.set(`${level}/${index}`, bytes);
    this.size = appended.size;
    return appended;
  }

  at(size: number): TiledLog {
    return { size, readTile: this.readTile };
  }
}

const leaves = someLeaves(5000);

function storedLog(size: number): StoredLog {
  const log = new StoredLog();
  log.append(leaves.slice(0, size));
  return log;
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as CryptoError).code;
  }
  return 'nothing was thrown';
}

describe('appending', () => {
  // @mutation packages/crypto/src/log-tiles.ts
  // -     start = first;
  // +     start = first + 1;
  test('in any steps gives the root and the tiles of the whole list', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 12 }), (steps) => {
        const log = new StoredLog();
        for (const step of steps) {
          const { root } = log.append(leaves.slice(log.size, log.size + step));
          expect(root).toEqual(naiveRoot(leaves.slice(0, log.size)));
        }
        expect(log.tiles).toEqual(storedLog(log.size).tiles);
      }),
      { numRuns: 40 },
    );
  });

  // @mutation packages/crypto/src/log-tiles.ts
  // -       node = nodeHash(left, node);
  // +       node = nodeHash(node, left);
  test('to the peaks that the step before ended with gives the same', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 12 }), (steps) => {
        const log = new StoredLog();
        let peaks: LogPeaks = [];
        for (const step of steps) {
          const added = leaves.slice(log.size, log.size + step);
          const appended = appendToLog({ ...log.at(log.size), peaks }, added);
          expect(appended).toEqual(log.append(added));
          peaks = appended.peaks;
        }
      }),
      { numRuns: 40 },
    );
  });

  test('crosses two levels of tiles', () => {
    const log = new StoredLog();
    log.append(leaves.slice(0, 4095));
    expect([...log.tiles.keys()]).not.toContain('2/0');
    const { root, tiles } = log.append(leaves.slice(4095, 4100));
    expect(root).toEqual(naiveRoot(leaves.slice(0, 4100)));
    expect(tiles.map(({ level, index }) => `${level}/${index}`)).toEqual(['0/63', '0/64', '1/0', '2/0']);
  });

  test('returns changed tiles only', () => {
    const log = storedLog(100);
    expect(log.append([]).tiles).toEqual([]);
    expect(log.append(leaves.slice(100, 101)).tiles.map(({ level, index }) => `${level}/${index}`)).toEqual(['0/1']);
  });

  test('to a size that the tiles have already passed replaces what came after it', () => {
    const log = storedLog(200);
    const other = someLeaves(300).slice(250, 260);
    const { root } = appendToLog(log.at(70), other);
    expect(root).toEqual(naiveRoot([...leaves.slice(0, 70), ...other]));
  });

  test('writes nothing itself: the reader sees the old log until the tiles are stored', () => {
    const log = storedLog(10);
    appendToLog(log.at(10), leaves.slice(10, 20));
    expect(logRootAt(log.at(10))).toEqual(naiveRoot(leaves.slice(0, 10)));
    expect(log.tiles.get('0/0')).toHaveLength(320);
  });

  test('what is no leaf hash, or too much for a size, is a bug', () => {
    expect(() => appendToLog(storedLog(1).at(1), [new Uint8Array(31)])).toThrow(AssertionError);
    expect(() => appendToLog({ size: Number.MAX_SAFE_INTEGER, readTile: () => undefined }, leaves.slice(0, 1))).toThrow(AssertionError);
  });
});

describe('reading', () => {
  let stored: StoredLog | undefined;
  /** Built by the first test that reads it, so that a broken append fails a test and not the file. */
  const wholeLog = (): StoredLog => {
    stored ??= storedLog(5000);
    return stored;
  };

  test('an empty log has the root of the empty list, without a tile', () => {
    expect(logRootAt({ size: 0, readTile: () => undefined })).toEqual(EMPTY_LOG_ROOT);
  });

  test('later tiles serve every earlier size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), (size) => {
        expect(logRootAt(wholeLog().at(size))).toEqual(naiveRoot(leaves.slice(0, size)));
      }),
    );
  });

  test('inclusion proofs are those of the definition', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(), (size, a) => {
        const index = a % size;
        const proof = inclusionProof(wholeLog().at(size), index);
        expect(proof).toEqual(naiveInclusion(index, leaves.slice(0, size)));
        const root = logRootAt(wholeLog().at(size));
        expect(verifyInclusion({ leafHash: leaves[index] as Hash, index, size, proof, root })).toBe(true);
      }),
    );
  });

  // @mutation packages/crypto/src/log-tiles.ts
  // -   if (start > 0) proof.push(view.rangeRoot(start, count));
  // +   proof.push(view.rangeRoot(start, count));
  test('consistency proofs are those of the definition', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(), (newSize, a) => {
        const oldSize = 1 + (a % newSize);
        const proof = consistencyProof(wholeLog().at(newSize), oldSize);
        expect(proof).toEqual(naiveConsistency(oldSize, leaves.slice(0, newSize)));
        const [oldRoot, newRoot] = [logRootAt(wholeLog().at(oldSize)), logRootAt(wholeLog().at(newSize))];
        expect(verifyConsistency({ oldSize, oldRoot, newSize, newRoot, proof })).toBe(true);
      }),
    );
  });

  test('the empty log and the log itself need no proof', () => {
    expect(consistencyProof(wholeLog().at(77), 0)).toEqual([]);
    expect(consistencyProof(wholeLog().at(77), 77)).toEqual([]);
  });

  test.each([-1, 0.5, 5000, Number.NaN])('a proof for entry %d, which is not in the log, is a bug', (index) => {
    expect(() => inclusionProof(wholeLog().at(5000), index)).toThrow(AssertionError);
    expect(() => consistencyProof(wholeLog().at(100), index === 5000 ? 101 : index)).toThrow(AssertionError);
    expect(() => logRootAt(wholeLog().at(index === 5000 ? -5 : index))).toThrow(AssertionError);
  });

  test('hashes are plain arrays, whatever the store returns', () => {
    const readTile: TileReader = (level, index) => {
      const tile = wholeLog().tiles.get(`${level}/${index}`);
      return tile === undefined ? undefined : Buffer.from(tile);
    };
    for (const hash of inclusionProof({ size: 5000, readTile }, 4999)) expect(hash.constructor).toBe(Uint8Array);
  });
});

describe('a damaged store', () => {
  // @mutation packages/crypto/src/log-tiles.ts
  // -     if (bytes.length < needed * HASH_BYTES) throw tileMissing({ level, index, hashes: Math.floor(bytes.length / HASH_BYTES), needed });
  // +
  test('is told by a typed error, wherever a tile is gone or cut', () => {
    for (const name of storedLog(200).tiles.keys()) {
      for (const cut of [0, 1, 32, 33]) {
        const log = storedLog(200);
        const tile = log.tiles.get(name) as Uint8Array;
        if (cut === 0) log.tiles.delete(name);
        else log.tiles.set(name, tile.subarray(0, tile.length - cut));
        expect(
          codeOf(() => logRootAt(log.at(200))),
          `${name} cut by ${cut}`,
        ).toBe(name.startsWith('0/') && name !== '0/3' ? 'nothing was thrown' : 'TILE_MISSING');
        expect(codeOf(() => [0, 70, 130, 199].map((index) => inclusionProof(log.at(200), index)))).toBe('TILE_MISSING');
      }
    }
  });

  test('says which tile, and how much of it is there', () => {
    const log = storedLog(10);
    log.tiles.set('0/0', (log.tiles.get('0/0') as Uint8Array).subarray(0, 100));
    expect(() => appendToLog(log.at(10), leaves.slice(10, 11))).toThrow(
      expect.objectContaining({ code: 'TILE_MISSING', fields: { level: 0, index: 0, hashes: 3, needed: 8 } }),
    );
    const { peaks } = storedLog(10).append([]);
    expect(() => appendToLog({ ...log.at(10), peaks }, leaves.slice(10, 11))).toThrow(
      expect.objectContaining({ code: 'TILE_MISSING', fields: { level: 0, index: 0, hashes: 3, needed: 10 } }),
    );
    expect(() => logRootAt({ size: 10, readTile: () => undefined })).toThrow(
      expect.objectContaining({ fields: { level: 0, index: 0, hashes: 0, needed: 8 } }),
    );
  });
});

test('wire format: root and tile bytes of a known log are pinned', () => {
  const log = storedLog(200);
  expect(toHex(logRootAt(log.at(200)))).toBe('3a91265c880999a4ff80341e82398871f3d114049d10b01f74bbda4624ba3812');
  expect([...log.tiles].map(([name, bytes]) => `${name}:${bytes.length}`)).toEqual([
    '0/0:2048',
    '0/1:2048',
    '0/2:2048',
    '0/3:256',
    '1/0:96',
  ]);
});

// @mutation packages/crypto/src/log-tiles.ts
// - if (hashes > 0) open.push({ level, index: Math.floor(entries / TILE_HASHES), hashes });
// + if (hashes > 0 && level < 1) open.push({ level, index: Math.floor(entries / TILE_HASHES), hashes });
test('a log goes on from its frontier alone, with the same roots and the same proofs of what comes', () => {
  fc.assert(
    fc.property(fc.nat({ max: 4400 }), fc.integer({ min: 1, max: 300 }), (size, more) => {
      const whole = storedLog(size);
      const frontier = logFrontier(whole.at(size));
      expect(frontier.length).toBeLessThanOrEqual(LOG_FRONTIER_BYTES_MAX);
      const begun = new StoredLog();
      begun.size = size;
      for (const { level, index, bytes } of frontierTiles(size, frontier) ?? []) begun.tiles.set(`${level}/${index}`, bytes);
      expect(logRootAt(begun.at(size))).toEqual(logRootAt(whole.at(size)));
      const added = leaves.slice(size, size + more);
      expect(begun.append(added).root).toEqual(whole.append(added).root);
      const index = size + added.length - 1;
      expect(inclusionProof(begun.at(begun.size), index)).toEqual(inclusionProof(whole.at(whole.size), index));
    }),
    { numRuns: 60 },
  );
});

test('a frontier of another length is none', () => {
  expect(frontierTiles(65, new Uint8Array(2 * 32))).toHaveLength(2);
  expect(frontierTiles(65, new Uint8Array(32))).toBeUndefined();
  expect(frontierTiles(65, new Uint8Array(3 * 32))).toBeUndefined();
});
