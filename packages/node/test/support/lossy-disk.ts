import { concatBytes, type Directory, type Store, type StoreOperation, toHex } from '@nacre/base';

/** A home's files in memory, for a journal: at a power cut it forgets what was not synced. */
export class LossyDisk {
  /** Awaited by each sync. */
  beforeSync: () => Promise<void> = () => Promise.resolve();
  #files = new Map<string, Uint8Array>();
  #syncedFiles = new Map<string, Uint8Array>();
  #values = new Map<string, Uint8Array>();
  #syncedValues = new Map<string, Uint8Array>();

  readonly directory: Directory = {
    read: async (name) => this.#files.get(name)?.slice(),
    append: async (name, bytes) => {
      this.#files.set(name, concatBytes(this.#files.get(name) ?? new Uint8Array(0), bytes));
    },
    sync: async (name) => {
      await this.beforeSync();
      this.#syncedFiles.set(name, this.#files.get(name) as Uint8Array);
    },
    replace: async (name, bytes) => {
      await this.beforeSync();
      this.#files.set(name, bytes.slice());
      this.#syncedFiles.set(name, bytes.slice());
    },
  };

  readonly store: Store = {
    get: (key) => this.#values.get(toHex(key)),
    scan: async () => [],
    write: async (operations, { sync }) => {
      for (const operation of operations) this.#apply(operation);
      if (!sync) return;
      await this.beforeSync();
      this.#syncedValues = new Map(this.#values);
    },
    view: () => this.store,
    close: async () => {},
  };

  powerCut(): void {
    this.#files = new Map(this.#syncedFiles);
    this.#values = new Map(this.#syncedValues);
  }

  /** Changes a file behind the program's back; undefined removes it. */
  damage(name: string, change: (bytes: Uint8Array) => Uint8Array | undefined): void {
    const changed = change((this.#files.get(name) as Uint8Array).slice());
    for (const layer of [this.#files, this.#syncedFiles]) {
      if (changed === undefined) layer.delete(name);
      else layer.set(name, changed);
    }
  }

  /** What stands on the disk now, as another disk. */
  copy(): LossyDisk {
    const copy = new LossyDisk();
    copy.#files = new Map(this.#files);
    copy.#syncedFiles = new Map(this.#files);
    copy.#values = new Map(this.#values);
    copy.#syncedValues = new Map(this.#values);
    return copy;
  }

  #apply(operation: StoreOperation): void {
    if (operation.type === 'put') this.#values.set(toHex(operation.key), operation.value);
    else this.#values.delete(toHex(operation.key));
  }
}
