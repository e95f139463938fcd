import type { Store } from '@nacre/base';
import { storeDamage } from '@nacre/ledger';

/** The store, with somebody who is told whenever a read finds damage; whoever read it gets the error as well. */
export function watchStore(store: Store, found: (error: unknown) => void): Store {
  const tell = (error: unknown): never => {
    if (storeDamage(error) !== null) found(error);
    throw error;
  };
  return {
    get: (key) => {
      try {
        return store.get(key);
      } catch (error) {
        return tell(error);
      }
    },
    scan: (range) => store.scan(range).catch(tell),
    write: (operations, options) => store.write(operations, options),
    view: () => {
      const view = store.view();
      return {
        get: (key) => {
          try {
            return view.get(key);
          } catch (error) {
            return tell(error);
          }
        },
        scan: (range) => view.scan(range).catch(tell),
        close: () => view.close(),
      };
    },
    close: () => store.close(),
  };
}
