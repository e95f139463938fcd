import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const repository = join(import.meta.dirname, '../..');

export interface MiniatureOptions {
  /** Text by path. */
  readonly files: Readonly<Record<string, string>>;
  /** Files of the repository that the miniature gets a copy of. */
  readonly copied?: readonly string[];
}

/** A repository in miniature with the tools of this one, in which tests plant what the tools must find. */
export class Miniature {
  readonly root = mkdtempSync(join(tmpdir(), 'nacre-miniature-'));

  constructor({ files, copied = [] }: MiniatureOptions) {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.root, path)), { recursive: true });
      writeFileSync(join(this.root, path), text);
    }
    for (const path of copied) copyFileSync(join(repository, path), join(this.root, path));
    this.#install();
  }

  /** Its own packages by name, and everything else as installed here. */
  #install(): void {
    const installed = join(this.root, 'node_modules');
    mkdirSync(join(installed, '@nacre'), { recursive: true });
    for (const name of readdirSync(join(repository, 'node_modules'))) {
      const isTool = !name.startsWith('.') || name === '.bin';
      if (isTool && name !== '@nacre') symlinkSync(join(repository, 'node_modules', name), join(installed, name));
    }
    for (const name of readdirSync(join(this.root, 'packages')))
      symlinkSync(join(this.root, 'packages', name), join(installed, '@nacre', name));
  }

  remove(): void {
    rmSync(this.root, { recursive: true });
  }
}
