import { expect, test } from 'vitest';
import { findBoundaryViolations, type Manifests } from '../../scripts/check/boundaries.ts';

const manifests: Manifests = {
  '': { devDependencies: { vitest: '1' } },
  base: {},
  crypto: { dependencies: { '@nacre/base': '1', '@noble/hashes': '1' }, imports: { '#sha256': './src/sha256-node.ts' } },
  consensus: { dependencies: { '@nacre/base': '1', '@nacre/ledger': '1' } },
};

function check(path: string, text: string) {
  return findBoundaryViolations([{ path, text }], manifests);
}

test.each([
  ['packages/crypto/src/a.ts', "import { assert } from '@nacre/base';"],
  ['packages/crypto/src/a.ts', "import { sha256 } from '@noble/hashes/sha2.js';"],
  ['packages/crypto/src/a.ts', "import { sha256 } from '#sha256';"],
  ['packages/crypto/src/deep/a.ts', "export * from '../b.ts';"],
  ['packages/crypto/src/native.ts', "import { sign } from 'node:crypto';"],
  ['packages/crypto/test/a.test.ts', "import '../src/index.ts'; import 'node:fs'; import 'vitest';"],
  ['packages/crypto/test/a.test.ts', "import { taggedHash } from '@nacre/crypto';"],
  ['scripts/a.ts', 'await import(path);'],
  ['packages/crypto/bench/a.bench.ts', "import type { BenchmarkSuite } from '@nacre/base/benchmark';"],
  ['packages/crypto/src/a.ts', "// import '@nacre/ledger';\nconst text = \"import 'node:fs'\";"],
  ['test/a.test.ts', "import '../scripts/a.ts'; import '@nacre/replica'; import 'node:fs';"],
])('%s may hold: %s', (path, text) => {
  expect(check(path, text)).toEqual([]);
});

test.each([
  ['a floor above', 'packages/crypto/src/a.ts', "import { Block } from '@nacre/ledger';", 'crypto may not import @nacre/ledger'],
  ['a floor above, declared or not', 'packages/consensus/src/a.ts', "import { Block } from '@nacre/ledger';", 'may not import'],
  ['itself by name', 'packages/crypto/src/a.ts', "import { taggedHash } from '@nacre/crypto';", 'may not import'],
  ['a type from above', 'packages/crypto/src/a.ts', "import type { Block } from '@nacre/ledger';", 'may not import'],
  ['a type expression from above', 'packages/crypto/src/a.ts', "type Block = import('@nacre/ledger').Block;", 'may not import'],
  ['a re-export from above', 'packages/crypto/src/a.ts', "export { Block } from '@nacre/ledger';", 'may not import'],
  ['a dynamic import from above', 'packages/crypto/src/a.ts', "await import('@nacre/ledger');", 'may not import'],
  ['a floor above in a test', 'packages/crypto/test/a.test.ts', "import { Block } from '@nacre/ledger';", 'may not import'],
  ['a floor below that package.json does not declare', 'packages/consensus/src/a.ts', "import '@nacre/crypto';", 'not a dependency'],
  ['the way around by path', 'packages/crypto/src/a.ts', "import '../../ledger/src/block.ts';", 'leaves the package'],
  ['the way around by path in a test', 'packages/crypto/test/a.test.ts', "import '../../base/src/index.ts';", 'leaves the package'],
  ['source that needs a test', 'packages/crypto/src/a.ts', "import '../test/support.ts';", 'leaves src'],
  ['a package reached by path from beside', 'test/a.test.ts', "import '../packages/base/src/index.ts';", 'reaches into a package'],
  ['the machine in a file that is not listed', 'packages/crypto/src/a.ts', "import 'node:fs';", 'may not be imported here'],
  ['the machine in base', 'packages/base/src/a.ts', "import 'node:crypto';", 'may not be imported here'],
  ['the machine without its prefix', 'packages/crypto/test/a.test.ts', "import 'fs/promises';", 'write node:fs/promises'],
  ['an undeclared dependency', 'packages/base/src/a.ts', "import '@noble/hashes/sha2.js';", '@noble/hashes is not a dependency'],
  ['a tool of the workspace in source', 'packages/base/src/a.ts', "import 'vitest';", 'vitest is not a dependency'],
  ['an undeclared subpath import', 'packages/base/src/a.ts', "import '#sha256';", 'not in "imports"'],
  ['a computed import', 'packages/base/src/a.ts', 'await import(name);', 'cannot be checked'],
  ['a package without a row in the table', 'packages/other/src/a.ts', '', 'no row in ALLOWED_PACKAGES'],
])('%s is refused', (_, path, text, message) => {
  expect(check(path, text)).toEqual([{ path, line: 1, message: expect.stringContaining(message) }]);
});

test('a violation names its line', () => {
  expect(check('packages/base/src/a.ts', "const a = 1;\n\nimport 'node:fs';\n")).toMatchObject([{ line: 3 }]);
});
