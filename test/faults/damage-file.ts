import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { DamageKind } from './schedule.ts';

/** What a node may lose: the rest of a home is configuration and keys. */
const DAMAGEABLE = ['store', 'journal'];
/** LevelDB's own words for people, and a file that only its lock matters of. */
const IMMATERIAL = new Set(['LOG', 'LOG.old', 'LOCK']);

/**
 * Flips a bit of one file of a stopped node, cuts the file off, or removes it.
 *
 * @param place `file` and `at`: shares of the list of files, in the order of their names, and of the file's length
 * @returns what was done, for people; null if there is nothing to damage
 */
export function damageFile(
  home: string,
  { how, file, at }: { readonly how: DamageKind; readonly file: number; readonly at: number },
): string | null {
  const files = DAMAGEABLE.flatMap((directory) => filesBelow(join(home, directory))).sort();
  const path = files[Math.floor(file * files.length)];
  if (path === undefined) return null;
  const { size } = statSync(path);
  const position = Math.floor(at * size);
  const name = relative(home, path);
  switch (how) {
    case 'remove':
      rmSync(path);
      return `${name} removed`;
    case 'cut':
      truncateSync(path, position);
      return `${name} cut from ${size} to ${position} bytes`;
    case 'flip': {
      const bytes = readFileSync(path);
      bytes.writeUInt8(bytes.readUInt8(position) ^ (1 << (position % 8)), position);
      writeFileSync(path, bytes);
      return `${name}: a bit of byte ${position} of ${size} flipped`;
    }
  }
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !IMMATERIAL.has(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size > 0);
}
