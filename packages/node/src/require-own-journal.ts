import { bytesEqual, type Directory } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { JOURNAL_FILE, JOURNAL_IDENTITY_FILE, VoteJournal } from '@nacre/ledger';
import type { HomeKey, HomePaths } from './home.ts';
import { NodeError } from './node-error.ts';

interface OwnedHome {
  readonly paths: HomePaths;
  readonly validator: Pick<HomeKey, 'address'> | null;
}

/**
 * Refuses a home whose vote journal is of another key than the validator's, before anything is written. Without its key a validator would
 * follow from now on, and nobody would notice what it leaves undone; with another one its journal would be given up for nothing.
 *
 * @throws {NodeError} `HOME_INCOMPLETE`, `KEY_FOREIGN`; what the directory throws
 */
export async function requireOwnJournal({ paths, validator }: OwnedHome, directory: Directory): Promise<void> {
  const key = paths.validatorKey;
  if (validator === null) {
    const found = await Promise.all([JOURNAL_FILE, JOURNAL_IDENTITY_FILE].map((name) => directory.read(name)));
    if (found.every((bytes) => bytes === undefined)) return;
    throw new NodeError('HOME_INCOMPLETE', `${paths.directory} has the vote journal of a validator and not its key`, {
      fields: { path: key },
      hint: `Put ${key} back from its backup, or name the signer that holds it. To be a follower from now on, move ${paths.journal} away.`,
    });
  }
  const owner = await VoteJournal.ownerOf(directory);
  if (owner === undefined || bytesEqual(owner, validator.address)) return;
  const [address, journal] = [formatAddress(validator.address), formatAddress(owner)];
  throw new NodeError('KEY_FOREIGN', `the validator's key is of ${address}, the vote journal in ${paths.journal} of ${journal}`, {
    fields: { path: key, address, journal },
    hint: `Put the key of ${journal} back from its backup (and the file validator-address, if the key was rotated): nothing has been changed.`,
  });
}
