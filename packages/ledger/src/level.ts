/** `@nacre/ledger/level`: the adapters to a real disk. Node only; the package's main entry runs in browsers too. */
export { DirectoryError, FileDirectory } from './file-directory.ts';
export { LevelStore, type LevelStoreOptions } from './level-store.ts';
export { StoreError, type StoreErrorCode } from './store-error.ts';
