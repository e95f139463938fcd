import type { StoreOperation } from '@nacre/base';
import { EMPTY_LOG_ROOT, EMPTY_STATE_ROOT, updateTree } from '@nacre/crypto';
import { effectOperations } from './effect-operations.ts';
import type { Genesis } from './genesis.ts';
import { tipKey } from './keys.ts';
import { Overlay } from './overlay.ts';
import { ACCOUNT, PARTICIPATION } from './state-kinds.ts';
import { type StoredTip, storedTipCodec } from './tip.ts';

/** The state before the first block: every validator's account, sponsored by itself, and nobody's commits. */
export function genesisState(genesis: Genesis): { readonly tip: StoredTip; readonly operations: readonly StoreOperation[] } {
  const overlay = new Overlay({ value: () => undefined });
  for (const { address, publicKey } of genesis.validators) overlay.set(ACCOUNT, address, { publicKey, sponsor: address });
  overlay.set(PARTICIPATION, null, { epoch: 0, heights: 0, commits: genesis.committee.validators.map(() => 0), recent: [] });
  const values = overlay.writes();
  const updates = values.map(({ stateKey, valueHash }) => ({ key: stateKey, valueHash }));
  const { root, pages } = updateTree({ get: () => undefined }, EMPTY_STATE_ROOT, updates);
  const tip = { height: 0, blockHash: genesis.hash, stateRoot: root, historyRoot: EMPTY_LOG_ROOT, certificate: null };
  const written = effectOperations({ stateRoot: root, outcomes: [], values, pages, logTiles: [], runs: [], keyed: [] });
  return { tip, operations: [...written, { type: 'put', key: tipKey(), value: storedTipCodec.encode(tip) }] };
}
