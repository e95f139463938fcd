import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Address } from '@nacre/base';
import { JOURNAL_FILE, JOURNAL_IDENTITY_FILE } from '@nacre/ledger';
import { FileDirectory, LevelStore } from '@nacre/ledger/level';
import { beforeEach, describe, expect, test } from 'vitest';
import { EXIT } from '../src/cli/exit-status.ts';
import { runCli } from '../src/cli/program.ts';
import { type HomePaths, homePaths, newKey, openHome, readGenesis } from '../src/home.ts';
import { createTestnet } from '../src/new-testnet.ts';
import { requireOwnJournal } from '../src/require-own-journal.ts';
import { STORE_FORMAT_VERSION } from '../src/store-format.ts';
import { capturedIo } from './support/captured-io.ts';
import { DAMAGE_WAYS, damageFile } from './support/damage.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

/** Where no file can lose a bit: the name of a key in JSON, the first line of PEM. A share of the length. */
const PLACE = { json: 0.02, pem: 0.05 };
const SCHEME = 'ml-dsa-44';
const CASE_MS = 60_000;

/** What a start says of each of an operator's own files, flipped, cut and removed. */
const REFUSALS: Readonly<Record<string, readonly [flipped: string, cut: string, removed: string]>> = {
  'config.json': ['FILE_MALFORMED', 'FILE_MALFORMED', 'HOME_INCOMPLETE'],
  'genesis.json': ['GENESIS_INVALID', 'GENESIS_INVALID', 'HOME_INCOMPLETE'],
  'peer-key.pem': ['FILE_MALFORMED', 'FILE_MALFORMED', 'FILE_INACCESSIBLE'],
  'service-key.pem': ['KEY_FILE_DAMAGED', 'KEY_FILE_DAMAGED', 'KEY_FILE_MISSING'],
  'validator-key.pem': ['KEY_FILE_DAMAGED', 'KEY_FILE_DAMAGED', 'HOME_INCOMPLETE'],
};

describe('a file that only its operator has', { timeout: CASE_MS }, () => {
  let paths: HomePaths;

  beforeEach(async () => {
    const { nodes } = await createTestnet({ directory: join(await temporaryDirectory(), 'net'), nodes: 1 }, Date.now());
    paths = homePaths(nodes[0]?.home ?? '');
  });

  const journal = async (): Promise<(Buffer | undefined)[]> =>
    Promise.all([JOURNAL_FILE, JOURNAL_IDENTITY_FILE].map((name) => readFile(join(paths.journal, name)).catch(() => undefined)));

  /** @returns what `nacre start` prints when it refuses */
  const refusal = async (): Promise<string> => {
    const io = capturedIo();
    const before = await journal();
    expect(await runCli(['start', '--home', paths.directory], io)).toBe(EXIT.configuration);
    // Whoever puts the right file back goes on as if nothing had been.
    expect(await journal()).toEqual(before);
    return io.err();
  };

  test('is one of those below', async () => {
    const files = (await readdir(paths.directory, { withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files.map(({ name }) => name).sort()).toEqual(Object.keys(REFUSALS));
  });

  test.each(Object.entries(REFUSALS))(
    'keeps a node from starting when it is damaged, and is named with what to do: %s',
    async (name, codes) => {
      const path = join(paths.directory, name);
      const kept = join(paths.directory, 'kept');
      await copyFile(path, kept);
      for (const [index, way] of DAMAGE_WAYS.entries()) {
        await damageFile(path, way, name.endsWith('.pem') ? PLACE.pem : PLACE.json);
        const said = await refusal();
        expect(said, `${name} ${way}`).toContain(codes[index]);
        expect(said, `${name} ${way}`).toContain(name === 'config.json' && way === 'removed' ? paths.directory : path);
        expect(said.trim().split('\n').length, `${name} ${way} comes with a hint: ${said}`).toBeGreaterThan(1);
        await copyFile(kept, path);
      }
    },
  );

  // @mutation packages/node/src/require-own-journal.ts
  // - if (found.every((bytes) => bytes === undefined)) return;
  // + if (found.length > 0) return;
  test('that is a validator’s key is missed as long as there is anything of its journal, and by no follower', async () => {
    const opening = () => requireOwnJournal({ paths, validator: null }, new FileDirectory(paths.journal));
    await expect(opening()).rejects.toMatchObject({ code: 'HOME_INCOMPLETE', fields: { path: paths.validatorKey } });
    await rm(join(paths.journal, JOURNAL_FILE));
    await expect(opening()).rejects.toMatchObject({ code: 'HOME_INCOMPLETE' });
    await rm(paths.journal, { recursive: true });
    await opening();
  });

  // @mutation packages/node/src/require-own-journal.ts
  // - if (owner === undefined || bytesEqual(owner, validator.address)) return;
  // + if (owner === undefined || validator.address.length === owner.length) return;
  test('that is another validator’s key is refused before the journal of the right one is given up', async () => {
    const before = await journal();
    const opening = (validator: { readonly address: Address } | null) =>
      requireOwnJournal({ paths, validator }, new FileDirectory(paths.journal));
    await expect(opening(newKey(SCHEME))).rejects.toMatchObject({ code: 'KEY_FOREIGN', fields: { path: paths.validatorKey } });
    expect(await journal()).toEqual(before);
    await opening((await openHome(paths, { genesisPath: 'genesis.json', passphrase: undefined })).validator);
    // A journal that is damaged is for the network to recover from, whosever it was.
    await rm(join(paths.journal, JOURNAL_FILE));
    await opening(newKey(SCHEME));
  });

  test('that is another network’s genesis is refused, and the store stays whose it is', async () => {
    const { hash } = await readGenesis(paths.genesis);
    await (await LevelStore.open(paths.store, { formatVersion: STORE_FORMAT_VERSION, genesisHash: hash })).close();
    const text = await readFile(paths.genesis, 'utf8');
    await writeFile(paths.genesis, text.replace(/"network": "[^"]*"/, '"network": "another"'));
    expect(await refusal()).toContain('STORE_FOREIGN');
  });
});
