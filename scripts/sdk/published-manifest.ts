/** What is read of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly engines?: Readonly<Record<string, string>>;
}

/** The package.json that people get. It has no dependencies: what the SDK needs is in its files. */
export function publishedManifest({ name, version, description, license, engines }: Manifest): object {
  const types = (entry: string): string => `./dist/types/client/${entry}.d.ts`;
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
      './outbox-file': { types: types('outbox-file'), node: './dist/node/outbox-file.js' },
      // For those who name the file themselves, in a page without a bundler or from a content delivery network.
      './browser': { types: types('index'), default: portable },
      './package.json': './package.json',
    },
  };
}
