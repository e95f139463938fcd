import { builtinModules } from 'node:module';
import { dirname, matchesGlob, posix } from 'node:path';
import { moduleReferences, type SourceFile, type Violation } from './source-file.ts';

/**
 * The floors of the house: which packages of ours a package may import. A floor uses what stands below it and
 * nothing above; tests and benchmarks keep to the floor of their package.
 */
const ALLOWED_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  base: [],
  crypto: ['base'],
  consensus: ['base', 'crypto'],
  health: ['base'],
  ledger: ['base', 'crypto', 'consensus'],
  replica: ['base', 'crypto', 'consensus', 'health', 'ledger'],
  network: ['base', 'crypto', 'consensus'],
  client: ['base', 'crypto', 'ledger'],
  simulator: ['base', 'crypto', 'consensus', 'ledger', 'replica'],
  node: ['base', 'crypto', 'consensus', 'ledger', 'replica', 'network', 'client'],
};

interface NodeModulesRule {
  /** Glob below `packages/NAME/src`. */
  readonly files: string;
  readonly reason: string;
}

/** The files of `src` that may import `node:*`, and why. Everything else runs in any JavaScript engine. */
const ALLOWED_NODE_MODULES: Readonly<Record<string, readonly NodeModulesRule[]>> = {
  base: [{ files: 'sync-directory.ts', reason: 'for those who keep files, exported apart from what browsers load' }],
  crypto: [
    { files: 'sha256-node.ts', reason: 'the hash of the runtime, chosen by the condition "node" of #sha256' },
    { files: 'native*.ts', reason: 'the signers of the runtime, exported apart from what browsers load' },
    { files: 'key-file.ts', reason: 'keys at rest: files, their modes and their replacement' },
    { files: 'pkcs8.ts', reason: 'the encryption of keys at rest' },
  ],
  ledger: [
    { files: 'file-directory.ts', reason: 'the Directory port on the file system' },
    { files: 'level-*.ts', reason: 'the Store port on LevelDB' },
    { files: 'stored-value.ts', reason: 'checksums of what LevelDB holds' },
    { files: 'value-{log,reclaimer}.ts', reason: 'the files of large values beside LevelDB' },
    { files: 'memtable-guard.ts', reason: 'looks for new logs in the directory of LevelDB' },
  ],
  client: [{ files: 'outbox-{file,lock}.ts', reason: 'the outbox of Node.js, exported apart from what browsers load' }],
  network: [{ files: 'pinned-tls.ts', reason: 'TLS options and the exporter, which libp2p does not hand out' }],
  node: [{ files: '**/*.ts', reason: 'the process itself: files, sockets, signals and time' }],
  simulator: [
    {
      files: '{main,simulate,campaign,seed-pool,seed-worker,json-lines-file}.ts',
      reason: 'the command: threads, files, output and the exit code',
    },
    { files: 'report/investigate.ts', reason: 'writes down how a failure comes about' },
    { files: 'variants/{install,hunt}-variant*.ts', reason: 'loads the program with one line changed, on all cores' },
  ],
};

/** What the checks need to know of a package.json. */
export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly imports?: Readonly<Record<string, unknown>>;
}

/** Manifests by package name; the repository's own under `''`. */
export type Manifests = Readonly<Record<string, Manifest>>;

interface Place {
  readonly path: string;
  /** Package name, or `''` for what stands beside the packages. */
  readonly package: string;
  /** `src`, `test` or `bench`. */
  readonly area: string;
}

const BUILTIN = new Set(builtinModules);

/** @returns every import that leaves the floor, the package or the declared dependencies */
export function findBoundaryViolations(files: readonly SourceFile[], manifests: Manifests): Violation[] {
  return files.flatMap((file) => {
    const [top, name = '', area = ''] = file.path.split('/');
    const place = top === 'packages' ? { path: file.path, package: name, area } : { path: file.path, package: '', area: '' };
    if (place.package !== '' && ALLOWED_PACKAGES[place.package] === undefined) {
      return [{ path: file.path, line: 1, message: `package ${name} has no row in ALLOWED_PACKAGES (scripts/check/boundaries.ts)` }];
    }
    return moduleReferences(file).flatMap(({ specifier, line }) => {
      const message = specifier === undefined ? computedObjection(place) : objection(place, specifier, manifests);
      return message === undefined ? [] : [{ path: file.path, line, message }];
    });
  });
}

function computedObjection(place: Place): string | undefined {
  return place.package === '' ? undefined : 'a computed import cannot be checked';
}

function objection(place: Place, specifier: string, manifests: Manifests): string | undefined {
  if (specifier.startsWith('.')) return relativeObjection(place, specifier);
  if (specifier.startsWith('#')) return importsObjection(place, specifier, manifests);
  if (specifier.startsWith('node:')) return nodeObjection(place, specifier);
  const [first = '', second = ''] = specifier.split('/');
  if (BUILTIN.has(first)) return `${specifier} is a module of Node.js: write node:${specifier}`;
  const dependency = first.startsWith('@') ? `${first}/${second}` : first;
  // Tests and benchmarks may use their own package the way others do.
  if (dependency === `@nacre/${place.package}` && place.area !== 'src') return undefined;
  if (first === '@nacre' && place.package !== '' && !(ALLOWED_PACKAGES[place.package] ?? []).includes(second)) {
    return `${place.package} may not import ${dependency}: it stands on the same floor or above`;
  }
  return dependencyObjection(place, dependency, manifests);
}

function relativeObjection(place: Place, specifier: string): string | undefined {
  const target = posix.join(dirname(place.path), specifier);
  if (place.package === '')
    return target.startsWith('packages/') ? `${specifier} reaches into a package: import it by its name` : undefined;
  if (!target.startsWith(`packages/${place.package}/`)) return `${specifier} leaves the package`;
  if (place.area === 'src' && !target.startsWith(`packages/${place.package}/src/`)) return `${specifier} leaves src`;
  return undefined;
}

function importsObjection(place: Place, specifier: string, manifests: Manifests): string | undefined {
  return manifests[place.package]?.imports?.[specifier] === undefined ? `${specifier} is not in "imports" of package.json` : undefined;
}

function nodeObjection(place: Place, specifier: string): string | undefined {
  if (place.area !== 'src') return undefined;
  const file = place.path.slice(`packages/${place.package}/src/`.length);
  if ((ALLOWED_NODE_MODULES[place.package] ?? []).some((rule) => matchesGlob(file, rule.files))) return undefined;
  return `${specifier} may not be imported here: what touches the machine is listed in ALLOWED_NODE_MODULES (scripts/check/boundaries.ts)`;
}

function dependencyObjection(place: Place, dependency: string, manifests: Manifests): string | undefined {
  const own = manifests[place.package]?.dependencies ?? {};
  const root = manifests[''] ?? {};
  const shared = { ...root.dependencies, ...root.devDependencies };
  if (dependency in own) return undefined;
  // What stands beside the packages may use all of them; tests and benchmarks may use the tools of the workspace.
  if (place.package === '' && dependency.startsWith('@nacre/')) return undefined;
  if (place.area !== 'src' && dependency in shared) return undefined;
  return `${dependency} is not a dependency in package.json`;
}
