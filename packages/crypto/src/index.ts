export { sha256 } from '#sha256';
export * from './address.ts';
export { createCachingVerifier } from './caching-verifier.ts';
export { ClockMap } from './clock-map.ts';
export * from './errors.ts';
export * from './log-proof.ts';
export * from './log-tiles.ts';
export { EMPTY_LOG_ROOT, leafHash, logRoot, nodeHash } from './log-tree.ts';
export { PageCache, type PageCacheOptions } from './page-cache.ts';
export { type PageContent, pageContent } from './page-content.ts';
export * from './portable-signer.ts';
export { CONTEXT_BYTES_MAX, isSignatureScheme, SCHEMES, type SchemeSizes, SEED_BYTES, type SignatureScheme } from './schemes.ts';
export {
  BUCKET_LEAVES_MAX,
  CHILDREN,
  childHash,
  childId,
  decodePage,
  encodePage,
  isEmptyHash,
  LEAF_BYTES,
  leavesOf,
  PAGE_BYTES_MAX,
  type Page,
  type PageId,
  pageHash,
  pageKey,
  STATE_KEY_BYTES,
} from './state-page.ts';
export * from './state-proof.ts';
export {
  buildSubtree,
  EMPTY_STATE_ROOT,
  openPage,
  type PageChange,
  type PageReader,
  type StateUpdate,
  type UpdatedTree,
  updateTree,
} from './state-tree.ts';
export { taggedHash } from './tagged-hash.ts';
