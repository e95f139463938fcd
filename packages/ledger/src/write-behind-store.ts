import {
  compareBytes,
  keyOf,
  STORE_WRITE_BEHIND_BYTES,
  type Store,
  type StoreEntry,
  type StoreOperation,
  type StoreRange,
  type StoreView,
  type StoreWriteOptions,
} from '@nacre/base';

/** Operations that are written as one, the last one of each key, by `keyOf` its key. */
type Layer = ReadonlyMap<string, StoreOperation>;

/**
 * A store whose deferrable writes are gathered and go on together, while everybody who reads through it sees them at once. Catching up writes a
 * small batch for each block, and waiting for the disk's thread each time took longer than all the rest. What is gathered is synced: it is
 * large enough to be worth it, and to go to the value log, without which LevelDB would merge every block again and again.
 *
 * Writes reach the store beneath in the order of their calls, so that a crash leaves what some earlier moment had left. At most three times
 * `STORE_WRITE_BEHIND_BYTES` and one write of each kind are held; whoever defers more waits.
 */
export class WriteBehindStore implements Store {
  readonly #store: Store;
  #gathered = new Map<string, StoreOperation>();
  #gatheredBytes = 0;
  /** Handed to the store and not done yet, oldest first. After a failure the rest stays, and nothing is written any more. */
  #leaving: Layer[] = [];
  #leavingBytes = 0;
  /** Settles with the last of them. */
  #left: Promise<void> = Promise.resolve();

  /** @param store carries out writes in the order of their calls */
  constructor(store: Store) {
    this.#store = store;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#isIdle) return this.#store.get(key);
    return valueIn(this.#layers(), key, () => this.#store.get(key));
  }

  scan(range: StoreRange): Promise<StoreEntry[]> {
    return this.#isIdle ? this.#store.scan(range) : scanOver(this.#layers(), this.#store, range);
  }

  async write(operations: readonly StoreOperation[], { sync, deferrable = false }: StoreWriteOptions): Promise<void> {
    if (this.#isIdle && !deferrable) return this.#store.write(operations, { sync });
    for (const operation of operations) {
      this.#gathered.set(keyOf(operation.key), operation);
      this.#gatheredBytes += operation.key.length + (operation.type === 'put' ? operation.value.length : 0);
    }
    if (!deferrable) return this.#send(sync);
    // Others may hand on what is gathered, little by little, before it is much.
    if (this.#leavingBytes >= 2 * STORE_WRITE_BEHIND_BYTES) return this.#left;
    if (this.#gatheredBytes < STORE_WRITE_BEHIND_BYTES) return;
    // While one part is on its way the next is gathered. What fails is told to whoever waits next.
    if (this.#leaving.length === 0) this.#send(true).catch(() => {});
    else await this.#left;
  }

  view(): StoreView {
    // What is gathered later is none of the view's; what leaves meanwhile stays in the layers that it keeps.
    const layers = [...this.#leaving, new Map(this.#gathered)];
    const view = this.#store.view();
    return {
      get: (key) => valueIn(layers, key, () => view.get(key)),
      scan: (range) => scanOver(layers, view, range),
      close: () => view.close(),
    };
  }

  async close(): Promise<void> {
    await this.write([], { sync: false });
    await this.#store.close();
  }

  get #isIdle(): boolean {
    return this.#gathered.size === 0 && this.#leaving.length === 0;
  }

  /** Oldest first. */
  #layers(): Layer[] {
    return [...this.#leaving, this.#gathered];
  }

  /** Hands on what is gathered. A write that failed fails all later ones, as they may build on it. */
  #send(sync: boolean): Promise<void> {
    const layer = this.#gathered;
    const bytes = this.#gatheredBytes;
    const before = this.#left;
    this.#leavingBytes += bytes;
    this.#gathered = new Map();
    this.#gatheredBytes = 0;
    this.#leaving.push(layer);
    const written = this.#store.write([...layer.values()], { sync });
    this.#left = Promise.all([before, written]).then(() => {
      this.#leaving.shift();
      this.#leavingBytes -= bytes;
    });
    this.#left.catch(() => {});
    return this.#left;
  }
}

/** @param layers oldest first */
function valueIn(layers: readonly Layer[], key: Uint8Array, beneath: () => Uint8Array | undefined): Uint8Array | undefined {
  const name = keyOf(key);
  for (let i = layers.length - 1; i >= 0; i--) {
    const operation = layers[i]?.get(name);
    if (operation !== undefined) return operation.type === 'put' ? operation.value : undefined;
  }
  return beneath();
}

/** What a scan finds with the layers written over what is beneath. */
async function scanOver(layers: readonly Layer[], beneath: Pick<StoreView, 'scan'>, range: StoreRange): Promise<StoreEntry[]> {
  const { gte, lt, reverse = false, limit } = range;
  const changed = new Map<string, StoreOperation>();
  for (const layer of layers) {
    for (const [name, operation] of layer) {
      if (compareBytes(operation.key, gte) >= 0 && compareBytes(operation.key, lt) < 0) changed.set(name, operation);
    }
  }
  // Every entry that the layers delete or replace may take the place of one that is to be found.
  const found = await beneath.scan({ ...range, limit: limit + changed.size });
  const kept = found.filter(({ key }) => !changed.has(keyOf(key)));
  for (const operation of changed.values()) if (operation.type === 'put') kept.push({ key: operation.key, value: operation.value });
  const order = reverse ? -1 : 1;
  return kept.sort((a, b) => order * compareBytes(a.key, b.key)).slice(0, limit);
}
