import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { linkDeclarations } from './link-declarations.ts';
import { externalPackages, type Manifest, publishedManifest } from './published-manifest.ts';

/** Node.js 20.19 is what the oldest dependency supports; browsers of the same time have all of it. */
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
 * Builds `@nacre/client` into `work`/package: JavaScript with the packages of this repository in it and those of others
 * beside it, once for Node.js and once for everything else; one file for web pages, with everything in it; and the types.
 */
export async function buildSdk({ root, work }: { readonly root: string; readonly work: string }): Promise<BuiltSdk> {
  const source = join(root, 'packages/client');
  const directory = join(work, 'package');
  const dist = join(directory, 'dist');
  rmSync(work, { recursive: true, force: true });
  const manifests = readManifests(root);

  const own = (platform: 'node' | 'browser', entries: readonly string[]): BuildOptions => ({
    entryPoints: entries.map((name) => join(source, 'src', `${name}.ts`)),
    outdir: join(dist, platform === 'node' ? 'node' : 'portable'),
    platform,
    splitting: true,
    external: externalPackages(manifests),
  });
  const bundles = [await bundle(own('node', ['index', 'outbox-file'])), await bundle(own('browser', ['index']))];
  const browser = { entryPoints: [join(source, 'src/index.ts')], outfile: join(dist, 'browser/nacre-client.js') };
  const whole = await bundle({ ...browser, platform: 'browser', minify: true });
  writeFileSync(join(dist, 'browser/LICENSES.txt'), licenses(root, whole));

  writeDeclarations(root, { compiled: join(work, 'compiled'), types: join(dist, 'types') });
  const manifest = publishedManifest(manifests, bundles);
  writeFileSync(join(directory, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  cpSync(join(source, 'README.md'), join(directory, 'README.md'));
  cpSync(join(root, 'LICENSE'), join(directory, 'LICENSE'));
  return { directory, files: builtFiles(dist) };
}

async function bundle(options: BuildOptions): Promise<Metafile> {
  const { metafile } = await build({ ...options, bundle: true, format: 'esm', target: TARGET, metafile: true, logLevel: 'error' });
  return metafile;
}

function writeDeclarations(root: string, { compiled, types }: { readonly compiled: string; readonly types: string }): void {
  const configuration = join(root, 'packages/client/tsconfig.build.json');
  const compiler = join(root, 'node_modules/.bin/tsc');
  const { status, stdout } = spawnSync(compiler, ['--project', configuration, '--outDir', compiled], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the compiler refuses the sources:\n${stdout}`);
  const entries = ['client/src/index.d.ts', 'client/src/outbox-file.d.ts'];
  for (const [path, text] of linkDeclarations({ directory: compiled, entries })) {
    mkdirSync(dirname(join(types, path)), { recursive: true });
    writeFileSync(join(types, path), text);
  }
}

/** The licences of everything that is in a bundle and not ours. */
function licenses(root: string, { inputs }: Metafile): string {
  const paths = Object.keys(inputs).flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []);
  return [...new Set(paths)]
    .sort()
    .map((path) => {
      const { name, version } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as Manifest;
      const file = readdirSync(join(root, path)).find((entry) => /^licen[cs]e/i.test(entry));
      if (file === undefined) throw new Error(`${path} has no licence to pass on`);
      return `${name} ${version}\n\n${readFileSync(join(root, path, file), 'utf8').trim()}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

function readManifests(root: string): ReadonlyMap<string, Manifest> {
  const packages = readdirSync(join(root, 'packages'));
  return new Map(
    packages.map((name) => [name, JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as Manifest]),
  );
}

function builtFiles(dist: string): BuiltFile[] {
  const paths = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.js'));
  return paths.sort().map((path) => {
    const content = readFileSync(join(dist, path));
    return { path: `dist/${path}`, bytes: content.length, gzipBytes: gzipSync(content).length };
  });
}
