import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { countOccurrences, type FoundMutations, findMutations, type Mutation } from './mutation.ts';

/** Every block of every test of a repository. */
export function collectMutations(root: string): FoundMutations {
  const found = globSync(['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'], { cwd: root })
    .sort()
    .map((path) => findMutations(path, readFileSync(join(root, path), 'utf8')));
  return { mutations: found.flatMap(({ mutations }) => mutations), malformed: found.flatMap(({ malformed }) => malformed) };
}

/** @returns why the mutation cannot be applied any more; undefined: it can */
export function staleReason(root: string, mutation: Mutation): string | undefined {
  const path = join(root, mutation.targetPath);
  if (!existsSync(path)) return `there is no ${mutation.targetPath}`;
  const count = countOccurrences(mutation, readFileSync(path, 'utf8'));
  return count === 1 ? undefined : `${mutation.targetPath} holds the text ${count} times instead of once`;
}
