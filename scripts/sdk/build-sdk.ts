import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build as esbuild, type Metafile, type Plugin } from 'esbuild';
import { linkDeclarations } from './link-declarations.ts';
import { type Manifest, NODE_ENTRIES, publishedManifest } from './published-manifest.ts';

/** Of `packages/client/src`; all but the first are for Node.js. */
const ENTRIES = ['index', ...NODE_ENTRIES];
/** What Node.js 20 and browsers of its time have. */
const TARGET = 'es2022';

export interface BuiltFile {
  /** In the package. */
  readonly path: string;
  readonly bytes: number;
  readonly gzipBytes: number;
}

export interface BuiltSdk {
  /** The package, ready to be packed. */
  readonly directory: string;
  /** Its JavaScript. */
  readonly files: readonly BuiltFile[];
}

/**
 * Builds `@nacre/client` into `work`/package: JavaScript with everything that it needs in it, once for Node.js and once, as one file, for browsers
 * and everything else; and the types.
 *
 * With dependencies inside, people run what was tested: `@chainsafe/ssz` takes any version of its own, and needs a global of Node.js besides.
 */
export async function buildSdk({ root, work }: { readonly root: string; readonly work: string }): Promise<BuiltSdk> {
  const source = join(root, 'packages/client');
  const directory = join(work, 'package');
  const dist = join(directory, 'dist');
  rmSync(work, { recursive: true, force: true });

  const entry = (name: string): string => join(source, 'src', `${name}.ts`);
  const bundles = [
    await bundle({ entryPoints: ENTRIES.map(entry), platform: 'node', outdir: join(dist, 'node'), splitting: true }),
    await bundle({ entryPoints: [entry('index')], platform: 'browser', outfile: join(dist, 'browser/nacre-client.js'), minify: true }),
  ];
  writeDeclarations(root, { compiled: join(work, 'compiled'), types: join(dist, 'types') });
  writeFileSync(join(dist, 'LICENSES.txt'), licenses(root, bundles));
  const manifest = publishedManifest(readManifest(source));
  writeFileSync(join(directory, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  cpSync(join(source, 'README.md'), join(directory, 'README.md'));
  cpSync(join(root, 'LICENSE'), join(directory, 'LICENSE'));
  return { directory, files: builtFiles(dist) };
}

async function bundle(options: BuildOptions): Promise<Metafile> {
  const common = { bundle: true, format: 'esm', target: TARGET, metafile: true, logLevel: 'error' } as const;
  const { metafile } = await esbuild({ ...options, ...common, plugins: options.platform === 'browser' ? [sszWithoutBuffer] : [] });
  return metafile;
}

/**
 * `@chainsafe/ssz` makes a `Buffer` for each list type, to mix lengths into hashes that nothing here asks for. These are all uses of it.
 */
const BUFFER_FOR_SSZ = `
class Bytes extends Uint8Array {
  writeUIntLE(value, offset, length) {
    for (let at = offset; at < offset + length; at++, value = Math.floor(value / 256)) this[at] = value % 256;
  }
}
const Buffer = { alloc: (length) => new Bytes(length), from: (memory, offset, length) => new Bytes(memory, offset, length) };
`;
const sszWithoutBuffer: Plugin = {
  name: 'ssz-without-buffer',
  setup(build) {
    build.onLoad({ filter: /node_modules\/@chainsafe\/ssz\/lib\/.*\.js$/ }, ({ path }) => {
      const contents = readFileSync(path, 'utf8');
      return { contents: /\bBuffer\./.test(contents) ? BUFFER_FOR_SSZ + contents : contents };
    });
  },
};

function writeDeclarations(root: string, { compiled, types }: { readonly compiled: string; readonly types: string }): void {
  const configuration = join(root, 'packages/client/tsconfig.build.json');
  const compiler = join(root, 'node_modules/.bin/tsc');
  const { status, stdout } = spawnSync(compiler, ['--project', configuration, '--outDir', compiled], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the compiler refuses the sources:\n${stdout}`);
  const entries = ENTRIES.map((name) => `client/src/${name}.d.ts`);
  for (const [path, text] of linkDeclarations({ directory: compiled, entries })) {
    mkdirSync(dirname(join(types, path)), { recursive: true });
    writeFileSync(join(types, path), text);
  }
}

/** The licences of everything that is in the bundles and not ours. */
function licenses(root: string, bundles: readonly Metafile[]): string {
  const inputs = bundles.flatMap((metafile) => Object.keys(metafile.inputs));
  const paths = inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []);
  return [...new Set(paths)]
    .sort()
    .map((path) => {
      const { name, version } = readManifest(join(root, path));
      const file = readdirSync(join(root, path)).find((entry) => /^licen[cs]e/i.test(entry));
      if (file === undefined) throw new Error(`${path} has no licence to pass on`);
      return `${name} ${version}\n\n${readFileSync(join(root, path, file), 'utf8').trim()}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
}

function builtFiles(dist: string): BuiltFile[] {
  const paths = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.js'));
  return paths.sort().map((path) => {
    const content = readFileSync(join(dist, path));
    return { path: `dist/${path}`, bytes: content.length, gzipBytes: gzipSync(content).length };
  });
}
