import type { Metafile } from 'esbuild';

/** What is read of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly engines?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const isOurs = (name: string): boolean => name.startsWith('@nacre/');

/** The packages of others that ours depend on, as esbuild takes them: by name, with all that is in them. */
export function externalPackages(manifests: ReadonlyMap<string, Manifest>): string[] {
  return [...versionsOf(manifests).keys()];
}

/**
 * The package.json that people get. Its dependencies are what the bundles import, at the versions that our packages name.
 *
 * @param manifests of our packages, by the name of their folder
 */
export function publishedManifest(manifests: ReadonlyMap<string, Manifest>, bundles: readonly Metafile[]): object {
  const { name, version, description, license, engines } = manifests.get('client') as Manifest;
  const versions = versionsOf(manifests);
  const imported = bundles.flatMap(({ outputs }) => Object.values(outputs).flatMap(({ imports }) => imports));
  const packages = imported
    .filter(({ external, path }) => external === true && !path.startsWith('node:'))
    .map(({ path }) => packageOf(path));
  const dependencies = [...new Set(packages)].sort().map((each) => {
    const wanted = versions.get(each);
    if (wanted === undefined) throw new Error(`no package of ours depends on ${each}, which the SDK imports`);
    return [each, wanted] as const;
  });
  const types = (entry: string): string => `./dist/types/client/${entry}.d.ts`;
  return {
    name,
    version,
    description,
    license,
    type: 'module',
    engines,
    sideEffects: false,
    files: ['dist'],
    exports: {
      '.': { types: types('index'), node: './dist/node/index.js', default: './dist/portable/index.js' },
      './outbox-file': { types: types('outbox-file'), node: './dist/node/outbox-file.js' },
      './browser': { types: types('index'), default: './dist/browser/nacre-client.js' },
      './package.json': './package.json',
    },
    dependencies: Object.fromEntries(dependencies),
  };
}

function versionsOf(manifests: ReadonlyMap<string, Manifest>): ReadonlyMap<string, string> {
  const all = [...manifests.values()].flatMap(({ dependencies = {} }) => Object.entries(dependencies));
  return new Map(all.filter(([name]) => !isOurs(name)));
}

function packageOf(specifier: string): string {
  const [first = '', second = ''] = specifier.split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}
