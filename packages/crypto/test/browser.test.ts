/** The package's main entry must run in a browser: what it reaches names nothing that only Node has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const packageRoot = join(import.meta.dirname, '..');

function reachableFrom(entry: string, resolve: (specifier: string) => string): Set<string> {
  const seen = new Set<string>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const source = readFileSync(join(packageRoot, path), 'utf8');
    for (const [, specifier] of source.matchAll(/from '([^']+)'/g)) {
      if (specifier?.startsWith('./')) waiting.push(`src/${specifier.slice(2)}`);
      if (specifier?.startsWith('#')) waiting.push(resolve(specifier));
    }
  }
  return seen;
}

test('what the main entry reaches in a browser names nothing that only Node has', () => {
  const { imports } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    imports: Record<string, { default: string }>;
  };
  const reached = reachableFrom('src/index.ts', (specifier) => (imports[specifier] as { default: string }).default.slice(2));
  expect(reached).toContain('src/sha256-portable.ts');
  expect(reached).toContain('src/state-page.ts');
  for (const path of reached) {
    const code = readFileSync(join(packageRoot, path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    expect({ path, named: code.match(/'node:|\bBuffer\b|\bprocess\b/) }).toEqual({ path, named: null });
  }
});
