import { dirname } from 'node:path';

interface Inode {
  content: Uint8Array;
  /** What a crash leaves of it. */
  synced: Uint8Array;
}

/**
 * As much of `node:fs/promises` as an outbox uses, on a disk that loses in a crash whatever was not synced: contents without a sync of the file,
 * names without a sync of their directory.
 */
export class LossyDisk {
  readonly #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  readonly #directories = new Set(['/']);
  readonly #durableDirectories = new Set(['/']);
  /** Thrown by the operation of that name. */
  failing: { readonly operation: string; readonly errno: string } | undefined;

  /** How long a directory's sync takes. */
  whileSyncing: () => Promise<void> = async () => {};

  crash(): void {
    for (const directory of this.#directories) if (!this.#durableDirectories.has(directory)) this.#directories.delete(directory);
    this.#names.clear();
    for (const [path, inode] of this.#durableNames) {
      if (!this.#directories.has(dirname(path))) continue;
      this.#names.set(path, { content: inode.synced, synced: inode.synced });
    }
  }

  /** Flips a bit, or cuts the file there. */
  damage(path: string, at: number, how: 'flip' | 'cut'): void {
    const { content } = this.#inode(path);
    const damaged = how === 'cut' ? content.slice(0, at) : content.slice();
    if (how === 'flip') damaged[at] = (damaged[at] as number) ^ 1;
    this.#names.set(path, { content: damaged, synced: damaged });
  }

  paths(): string[] {
    return [...this.#names.keys()];
  }

  sizeOf(path: string): number {
    return this.#inode(path).content.length;
  }

  /** What stands in for the module. */
  readonly functions = {
    mkdir: async (path: string): Promise<string | undefined> => {
      const missing: string[] = [];
      for (let each = path; !this.#directories.has(each); each = dirname(each)) missing.push(each);
      for (const each of missing) this.#directories.add(each);
      return missing.at(-1);
    },
    readdir: async (path: string): Promise<string[]> => {
      this.#fail('readdir');
      return this.paths().flatMap((each) => (dirname(each) === path ? [each.slice(path.length + 1)] : []));
    },
    stat: async (path: string): Promise<{ size: number }> => ({ size: this.sizeOf(path) }),
    readFile: async (path: string): Promise<Uint8Array> => this.#inode(path).content,
    rm: async (path: string): Promise<void> => {
      this.#fail('rm');
      this.#names.delete(path);
    },
    rename: async (from: string, to: string): Promise<void> => {
      this.#fail('rename');
      this.#names.set(to, this.#inode(from));
      this.#names.delete(from);
    },
    open: async (path: string, flags: string) => {
      this.#fail('open');
      if (flags === 'r') return { sync: async () => this.#syncDirectory(path), close: async () => {} };
      const inode: Inode = { content: new Uint8Array(0), synced: new Uint8Array(0) };
      this.#names.set(path, inode);
      return {
        writeFile: async (bytes: Uint8Array) => {
          this.#fail('write');
          inode.content = bytes;
        },
        sync: async () => {
          this.#fail('sync');
          inode.synced = inode.content;
        },
        close: async () => {},
      };
    },
  };

  /** What changes while it runs need not be covered. */
  async #syncDirectory(path: string): Promise<void> {
    this.#fail('syncDirectory');
    const names = new Map(this.#names);
    await this.whileSyncing();
    for (const directory of this.#directories) if (dirname(directory) === path) this.#durableDirectories.add(directory);
    const elsewhere = [...this.#durableNames].filter(([each]) => dirname(each) !== path);
    this.#durableNames = new Map([...elsewhere, ...[...names].filter(([each]) => dirname(each) === path)]);
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
    return inode;
  }

  #fail(operation: string): void {
    if (this.failing?.operation === operation) throw Object.assign(new Error(operation), { code: this.failing.errno });
  }
}
