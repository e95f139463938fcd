import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const root = join(import.meta.dirname, '../../..');

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The environment of somebody who has nothing of this repository: no `node_modules/.bin` in the path, so that `node` and `npm` are the machine's,
 * and nothing that npm tells its scripts.
 */
function foreignEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST|INIT_CWD)/.test(name));
  const path = (process.env.PATH ?? '').split(delimiter).filter((directory) => !directory.includes('node_modules'));
  return { ...Object.fromEntries(entries), PATH: path.join(delimiter) };
}

/** Runs a command to its end. */
export async function run(command: string, options: readonly string[], directory: string): Promise<Ran> {
  const child = spawn(command, options, { cwd: directory, env: foreignEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name].setEncoding('utf8').on('data', (text: string) => (chunks[name] += text));
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  return { code, ...chunks };
}

async function succeed(command: string, options: readonly string[], directory: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, options, directory);
  if (code !== 0) throw new Error(`${command} ${options.join(' ')} ended with ${code}:\n${stderr}${stdout}`);
  return stdout;
}

/** The SDK built, packed, and installed from its tarball into an empty folder, as people do it. */
export class InstalledSdk {
  /** The folder of somebody who uses the SDK. */
  readonly directory: string;
  /** Paths in the tarball, without `package/`. */
  readonly packed: readonly string[];

  private constructor(directory: string, packed: readonly string[]) {
    this.directory = directory;
    this.packed = packed;
  }

  static async install(): Promise<InstalledSdk> {
    const directory = await mkdtemp(join(tmpdir(), 'nacre-installed-'));
    const build = join(directory, '..', `${directory}-build`);
    try {
      const tarball = (await succeed(process.execPath, [join(root, 'scripts/build-sdk.ts'), build], root)).trim();
      const listed = await succeed('tar', ['--list', '--file', tarball], directory);
      await succeed('cp', [tarball, directory], directory);
      await succeed('npm', ['install', '--no-audit', '--no-fund', `./${tarball.slice(tarball.lastIndexOf('/') + 1)}`], directory);
      return new InstalledSdk(
        directory,
        listed
          .trim()
          .split('\n')
          .map((path) => path.replace(/^package\//, '')),
      );
    } finally {
      await rm(build, { recursive: true, force: true });
    }
  }

  /** The installed package. */
  get package(): string {
    return join(this.directory, 'node_modules/@nacre/client');
  }

  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) await writeFile(join(this.directory, name), text);
  }

  /** @param node the machine's own, or that of this repository */
  async node(script: string, node: 'machine' | 'repository', options: readonly string[] = []): Promise<Ran> {
    return run(node === 'machine' ? 'node' : process.execPath, [script, ...options], this.directory);
  }

  /** What the compiler says of files, as strictly as it can be asked, with no other types than those named. */
  async typecheck(files: readonly string[], resolution: 'nodenext' | 'bundler', types: readonly 'node'[] = []): Promise<string> {
    const configuration = {
      compilerOptions: {
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
        target: 'es2022',
        lib: ['es2023', 'dom', 'dom.asynciterable'],
        types,
        typeRoots: [join(root, 'node_modules/@types')],
        module: resolution === 'nodenext' ? 'nodenext' : 'esnext',
        moduleResolution: resolution,
      },
      files,
    };
    await this.write({ 'tsconfig.json': JSON.stringify(configuration) });
    return (await run(join(root, 'node_modules/.bin/tsc'), ['--project', '.', '--pretty', 'false'], this.directory)).stdout;
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true });
  }
}
