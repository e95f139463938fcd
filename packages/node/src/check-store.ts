import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createVerifier } from '@nacre/crypto/native';
import { type Damage, differenceOf, type Genesis, Ledger, replay, scrub } from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { STORE_FORMAT_VERSION } from './store-format.ts';

/** Problems told. More are no news: the store is to be fetched again. */
const PROBLEMS_MAX = 100;
const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

export interface CheckedStore {
  readonly height: number;
  /** Lowest height whose block is here. */
  readonly firstHeight: number;
  /** Blocks executed again from the genesis on: all, or none where the first ones are not here or were not asked for. */
  readonly executed: number;
  /** Everything that is not what was decided, at most `PROBLEMS_MAX`. */
  readonly problems: readonly string[];
}

interface Options {
  readonly path: string;
  readonly genesis: Genesis;
  /** Whether blocks are executed again, in a store of its own beside this one, which takes as much room and is removed at the end. */
  readonly execute: boolean;
  /** Called now and then with what is being done. */
  readonly progress: (line: string) => void;
}

/**
 * Verifies the store of a stopped node: the end as at every start (hash, certificate, state root), then everything in it as the scrub of a
 * running node does, and at last that executing its blocks from the genesis on gives what it holds, to the byte.
 *
 * @throws what `LevelStore.open` and `Ledger.open` throw, for example `STORE_LOCKED` while the node runs
 */
export async function checkStore({ path, genesis, execute, progress }: Options): Promise<CheckedStore> {
  const verifier = createVerifier(genesis.scheme);
  await using opened = new AsyncDisposableStack();
  const open = async (directory: string) => {
    const store = await LevelStore.open(directory, { formatVersion: STORE_FORMAT_VERSION, genesisHash: genesis.hash });
    opened.defer(() => store.close());
    return { store, ledger: await Ledger.open({ genesis, store, verifier, log }) };
  };
  const { store, ledger } = await open(path);
  const { tip, firstHeight } = ledger;
  const problems: string[] = [];
  let part = '';
  for await (const step of scrub({ ledger, store })) {
    if (step.part !== part) progress(`reading: ${step.part}`);
    part = step.part;
    if (step.damage !== null) problems.push(problemOf(step.damage));
    if (problems.length === PROBLEMS_MAX) break;
  }
  const done = { height: tip.height, firstHeight, executed: 0, problems };
  // What cannot be read cannot be executed, and of a chain that was taken up from a snapshot the beginning is elsewhere.
  if (!execute || problems.length > 0 || firstHeight > 1) return done;
  const scratch = await mkdtemp(`${path}-check-`);
  opened.defer(() => rm(scratch, { recursive: true, force: true }));
  const again = await open(join(scratch, 'store'));
  const executed = (height: number): void => {
    if (height % 1000 === 0) progress(`executing: block ${height} of ${tip.height}`);
  };
  const problem = await replay({ source: ledger, target: again.ledger, verifier, executed });
  const difference = problem === null ? await differenceOf(store, again.store) : `block ${problem.height}: ${problem.what}`;
  if (difference !== null) problems.push(difference);
  return { ...done, executed: again.ledger.tip.height };
}

function problemOf({ error }: Damage): string {
  const { height } = error.fields;
  return typeof height === 'number' ? `block ${height}: ${error.message}` : error.message;
}
