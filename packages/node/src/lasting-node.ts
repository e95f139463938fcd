import type { Log, NacreError } from '@nacre/base';
import { storeDamage } from '@nacre/ledger';
import type { NodeConfiguration } from './configuration-schema.ts';
import { type NodeHome, type RunningNode, startNode } from './node.ts';
import { finishSettingAside, setStoreAside } from './set-aside.ts';
import { systemClock } from './system-ports.ts';

interface Surroundings {
  readonly log: Log;
  /** Tells the operator, in a line. */
  readonly say: (line: string) => void;
}

/**
 * A node that outlives damage to its store: whenever a part of it turns out not to be what was written, at the start or later, the store is
 * set aside and the node starts anew in the same process, with an empty one that it fills from its peers. Everything else ends it as before.
 *
 * @throws what `startNode` and `setStoreAside` throw
 */
export async function startLastingNode(home: NodeHome, configuration: NodeConfiguration, { log, say }: Surroundings): Promise<RunningNode> {
  const { genesis, paths } = home;
  let stopped = false;

  const mend = async (damage: NacreError): Promise<void> => {
    log.error({ code: damage.code, error: damage.message, ...damage.fields }, 'the store is damaged');
    const aside = await setStoreAside({ path: paths.store, genesisHash: genesis.hash, damage, nowMs: systemClock.nowMs() });
    log.warn({ ...aside }, 'the damaged store is set aside, the chain is fetched again from peers');
    say(`the store is damaged: ${damage.message}; it is kept as ${aside.path}, and the chain is fetched again from peers`);
  };
  const start = async (): Promise<RunningNode> => {
    await finishSettingAside(paths.store);
    for (;;) {
      try {
        return await startNode(home, configuration, log);
      } catch (error) {
        const damage = storeDamage(error);
        if (damage === null) throw error;
        await mend(damage);
      }
    }
  };

  let current = await start();
  const last = async (): Promise<void> => {
    for (;;) {
      try {
        return await current.finished;
      } catch (error) {
        const damage = storeDamage(error);
        if (damage === null || stopped) throw error;
        await current.stop();
        await mend(damage);
        if (stopped) return;
        current = await start();
        if (stopped) return current.stop();
      }
    }
  };
  const finished = last();
  // Whoever stops the node may never ask how it ended.
  finished.catch(() => undefined);
  return {
    get rpcUrl() {
      return current.rpcUrl;
    },
    get multiaddrs() {
      return current.multiaddrs;
    },
    get peerId() {
      return current.peerId;
    },
    status: () => current.status(),
    finished,
    stop: async () => {
      stopped = true;
      await current.stop();
      // A start that is under way now is stopped when it is done.
      await finished.catch(() => undefined);
    },
  };
}
