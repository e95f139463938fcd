import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HomePaths } from '../../src/home.ts';

export type DamageWay = 'flipped' | 'cut' | 'removed';
export const DAMAGE_WAYS: readonly DamageWay[] = ['flipped', 'cut', 'removed'];

/** A file of a home, with the place in it that is damaged: by default its middle. */
export interface StoredFile {
  readonly name: string;
  readonly path: string;
}

/** Every file of store and vote journal, by what it is: of many tables only the first stands for all. */
export async function storedFiles({ store, journal }: HomePaths): Promise<Map<string, StoredFile>> {
  const files = new Map<string, StoredFile>();
  for (const directory of [store, join(store, 'values'), journal]) {
    for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
      const path = join(directory, entry.name);
      const kind = entry.name.replace(/^\d+\./, '').replace(/-\d+$/, '');
      if (entry.isFile() && !files.has(kind)) files.set(kind, { name: entry.name, path });
    }
  }
  return files;
}

/** Damages a file: one bit in its middle, or its second half, or all of it. */
export async function damageFile(path: string, way: DamageWay): Promise<void> {
  if (way === 'removed') return rm(path);
  const bytes = await readFile(path);
  const middle = bytes.length >> 1;
  if (way === 'cut') return truncate(path, middle);
  if (bytes.length === 0) return;
  bytes[middle] = (bytes[middle] as number) ^ 0x10;
  await writeFile(path, bytes);
}
