/** What is read of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly engines?: Readonly<Record<string, string>>;
}

/** What is imported as `@nacre/client/NAME`, in Node.js only. */
export const NODE_ENTRIES: readonly string[] = ['key-file', 'outbox-file'];

/** The package.json that people get. It has no dependencies: what the SDK needs is in its files. */
export function publishedManifest({ name, version, description, license, engines }: Manifest): object {
  const types = (entry: string): string => `./dist/types/client/${entry}.d.ts`;
  const forNode = NODE_ENTRIES.map((name) => [`./${name}`, { types: types(name), node: `./dist/node/${name}.js` }] as const);
  const portable = './dist/browser/nacre-client.js';
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
      '.': { types: types('index'), node: './dist/node/index.js', default: portable },
      ...Object.fromEntries(forNode),
      // For those who name the file themselves, in a page without a bundler or from a content delivery network.
      './browser': { types: types('index'), default: portable },
      './package.json': './package.json',
    },
  };
}
