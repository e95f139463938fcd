import { spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collectMutations, staleReason } from '../mutation/collect.ts';
import { findBoundaryViolations, type Manifest, type Manifests } from './boundaries.ts';
import { findImpurities, isPure } from './purity.ts';
import type { SourceFile, Violation } from './source-file.ts';

export interface StepOutcome {
  readonly ok: boolean;
  /** Shown when the step failed. */
  readonly output: string;
}

/** One thing that every commit must pass. */
export interface Step {
  readonly name: string;
  run(): Promise<StepOutcome>;
}

export function allSteps(root: string): Step[] {
  const tool = (name: string, ...command: string[]): Step => ({ name, run: () => runTool(root, command) });
  return [
    tool('types', 'tsc', '--project', '.'),
    tool('lint', 'oxlint', '--report-unused-disable-directives-severity=error'),
    tool('biome', 'biome', 'ci', '--colors=off', '--error-on-warnings'),
    tool('unused', 'knip', '--no-progress', '--no-config-hints'),
    tool('unused-but-in-tests', 'knip', '--no-progress', '--no-config-hints', '--production', '--include=files,exports,types'),
    { name: 'boundaries', run: () => Promise.resolve(outcomeOf(findBoundaryViolations(readSources(root), readManifests(root)))) },
    { name: 'mutations', run: () => Promise.resolve(outcomeOf(findStaleMutations(root))) },
    {
      name: 'purity',
      run: () =>
        Promise.resolve(
          outcomeOf(
            readSources(root)
              .filter(({ path }) => isPure(path))
              .flatMap(findImpurities),
          ),
        ),
    },
  ];
}

async function runTool(root: string, [binary, ...options]: readonly string[]): Promise<StepOutcome> {
  const child = spawn(join(root, 'node_modules', '.bin', binary as string), options, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  const { promise, resolve } = Promise.withResolvers<StepOutcome>();
  const output = (): string => Buffer.concat(chunks).toString().trim();
  child.once('error', (error) => resolve({ ok: false, output: error.message }));
  child.once('close', (code) => resolve({ ok: code === 0, output: output() }));
  return promise;
}

function outcomeOf(violations: readonly Violation[]): StepOutcome {
  return { ok: violations.length === 0, output: violations.map(({ path, line, message }) => `${path}:${line}: ${message}`).join('\n') };
}

/** Found here in a second, and not after the minutes that `npm run mutate` takes. */
function findStaleMutations(root: string): Violation[] {
  const { mutations, malformed } = collectMutations(root);
  const stale = mutations.flatMap((mutation) => {
    const reason = staleReason(root, mutation);
    return reason === undefined
      ? []
      : [{ path: mutation.testPath, line: mutation.testLine, message: `a mutation above is stale: ${reason}` }];
  });
  return [...malformed.map(({ testPath, line, reason }) => ({ path: testPath, line, message: reason })), ...stale];
}

function readSources(root: string): SourceFile[] {
  const patterns = ['packages/*/{src,test,bench}/**/*.ts', 'test/**/*.ts', 'scripts/**/*.ts'];
  const paths = globSync(patterns, { cwd: root }).sort();
  return paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

function readManifests(root: string): Manifests {
  const paths = globSync('packages/*/package.json', { cwd: root });
  const entries = paths.map((path) => [path.split('/')[1] as string, path] as const);
  return Object.fromEntries([['', 'package.json'] as const, ...entries].map(([name, path]) => [name, readManifest(join(root, path))]));
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
}
