import { bytesEqual } from '@nacre/base';
import { createVerifier } from '@nacre/crypto/native';
import { blockHash, type Genesis, Ledger, transactionsRoot } from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { STORE_FORMAT_VERSION } from './store-format.ts';

export interface CheckedStore {
  readonly height: number;
  readonly transactions: number;
  /** The first block that is not what was decided; null if all are. */
  readonly problem: { readonly height: number; readonly what: string } | null;
}

/**
 * Verifies the chain in the store of a stopped node: the end as at every start (hash, certificate, state root), then every block back to the
 * first: its header's hash by its child's parent hash, and its transactions by the header's root.
 *
 * @throws what `LevelStore.open` and `Ledger.open` throw, for example `STORE_LOCKED` while the node runs
 */
export async function checkStore(path: string, genesis: Genesis): Promise<CheckedStore> {
  const store = await LevelStore.open(path, { formatVersion: STORE_FORMAT_VERSION, genesisHash: genesis.hash });
  try {
    const quiet = () => undefined;
    const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    const ledger = await Ledger.open({ genesis, store, verifier: createVerifier(genesis.scheme), log });
    return walkBack(ledger);
  } finally {
    await store.close();
  }
}

function walkBack(ledger: Ledger): CheckedStore {
  const { height: top, blockHash: topHash } = ledger.tip;
  let expected = topHash;
  let transactions = 0;
  for (let height = top; height > 0; height--) {
    const block = ledger.blockAt(height);
    const problem = (what: string): CheckedStore => ({ height: top, transactions, problem: { height, what } });
    if (block === undefined) return problem('it is missing');
    if (!bytesEqual(blockHash(block.header), expected)) return problem('its header is not the one that was decided');
    if (!bytesEqual(transactionsRoot(block.bodyHashes), block.header.transactionsRoot))
      return problem('its list of transactions is not the one that was decided');
    for (const bodyHash of block.bodyHashes) {
      const body = ledger.body(bodyHash);
      const decoded = body && ledger.read(body);
      if (!decoded?.ok || !bytesEqual(decoded.value.bodyHash, bodyHash)) return problem('a transaction of it is missing or altered');
      transactions++;
    }
    expected = block.header.parentHash;
  }
  // The first block's parent is the genesis.
  return {
    height: top,
    transactions,
    problem: bytesEqual(expected, ledger.genesis.hash) ? null : { height: 1, what: 'it does not follow the genesis' },
  };
}
