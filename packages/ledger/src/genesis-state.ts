import type { StoreOperation } from '@nacre/base';
import type { Validator } from '@nacre/consensus';
import { EMPTY_LOG_ROOT, EMPTY_STATE_ROOT, updateTree } from '@nacre/crypto';
import { effectOperations } from './effect-operations.ts';
import { storeCommittee } from './end-epoch.ts';
import type { Genesis } from './genesis.ts';
import { tipKey } from './keys.ts';
import { Overlay } from './overlay.ts';
import { firstStages } from './parameter-stages.ts';
import { firstParticipation } from './participation.ts';
import { EPOCH, type Member, PARAMETERS, REGISTRY } from './set-kinds.ts';
import { ACCOUNT, PARTICIPATION } from './state-kinds.ts';
import { type StoredTip, storedTipCodec } from './tip.ts';

/** The state before the first block: every validator's account, sponsored by itself, and the committee of the first two epochs. */
export function genesisState(genesis: Genesis): { readonly tip: StoredTip; readonly operations: readonly StoreOperation[] } {
  const overlay = new Overlay({ value: () => undefined });
  const { committee } = genesis;
  for (const { address, publicKey } of genesis.validators) overlay.set(ACCOUNT, address, { publicKey, sponsor: address, retired: null });
  overlay.set(PARTICIPATION, null, firstParticipation(0, committee.size));
  overlay.set(EPOCH, 0, { firstHeight: 1, startMs: genesis.timeMs, committeeHash: committee.hash });
  storeCommittee(overlay, committee);
  overlay.set(REGISTRY, null, { scheduled: committee.hash, offenceCount: 0, members: committee.validators.map(firstMember) });
  overlay.set(PARAMETERS, null, firstStages(genesis.parameters));
  const values = overlay.writes();
  const updates = values.map(({ stateKey, valueHash }) => ({ key: stateKey, valueHash }));
  const { root, pages } = updateTree({ get: () => undefined }, EMPTY_STATE_ROOT, updates);
  const tip = { height: 0, blockHash: genesis.hash, stateRoot: root, historyRoot: EMPTY_LOG_ROOT, certificate: null };
  const written = effectOperations({
    stateRoot: root,
    outcomes: [],
    values,
    pages,
    logTiles: [],
    logPeaks: [],
    runs: [],
    keyed: [],
    nextEpoch: null,
  });
  return { tip, operations: [...written, { type: 'put', key: tipKey(), value: storedTipCodec.encode(tip) }] };
}

function firstMember({ address, publicKey, weight }: Validator): Member {
  return { address, publicKey, weight, baseWeight: weight, held: null, pardonedHeight: 0, performance: null };
}
