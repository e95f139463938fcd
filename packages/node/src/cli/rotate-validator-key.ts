import { existsSync } from 'node:fs';
import type { Signer } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { createSigner, readKeyFile, writeKeyFile } from '@nacre/crypto/native';
import { type Genesis, POSSESSION_CONTEXT, possessionMessage } from '@nacre/ledger';
import { type HomePaths, newKey, writeDurably } from '../home.ts';
import { NodeError } from '../node-error.ts';
import type { CommandContext } from './program.ts';
import { openOperatorHome, type Submitted, signAndSubmit } from './sign-and-submit.ts';

export interface Rotated extends Submitted {
  /** File of the new key. */
  readonly key: string;
  /** Null for whoever is no validator, and while the network has not decided it. */
  readonly votesFromEpoch: number | null;
}

/**
 * Makes another key beside the one of a home, and has the network take it. Durable before it is told to anybody, and beside the old one until
 * that is of no more use: neither a crash here nor a transaction that comes to nothing loses a key. The same call again goes on.
 */
export async function rotateValidatorKey(home: string, context: CommandContext): Promise<Rotated> {
  const { paths, genesis, validator } = await openOperatorHome(home, context);
  const { address } = validator;
  if (existsSync(paths.signerSocket)) {
    throw new NodeError('SIGNER_UNUSABLE', 'the key of a signer in its own process cannot be rotated while its node runs', {
      fields: { path: paths.signerSocket, reason: 'ROTATION' },
      hint: 'Have the validators let a new key join and this one leave.',
    });
  }
  if (!existsSync(paths.validatorAddress)) await writeDurably(paths.validatorAddress, `${formatAddress(address)}\n`);
  const signer = await nextKey(paths, genesis, context.io.environment.NACRE_PASSPHRASE);
  const proofOfPossession = await signer.sign(possessionMessage(genesis.context, address, 'rotate'), POSSESSION_CONTEXT);
  const operation = { kind: 'key.rotate', publicKey: signer.publicKey, proofOfPossession } as const;
  const submitted = await signAndSubmit({ genesis, validator }, [operation], context);
  return { ...submitted, key: paths.nextValidatorKey, votesFromEpoch: await votesFrom(submitted.height, formatAddress(address), context) };
}

async function votesFrom(height: number | null, address: string, context: CommandContext): Promise<number | null> {
  if (height === null) return null;
  const { epoch, validators } = (await context.call('validator_list', { height })) as {
    readonly epoch: number;
    readonly validators: readonly { readonly address: string }[];
  };
  return validators.some((one) => one.address === address) ? epoch + 2 : null;
}

/** The key of a rotation that was begun before, or a new one. */
async function nextKey(paths: HomePaths, { scheme }: Genesis, passphrase: string | undefined): Promise<Signer> {
  if (!existsSync(paths.nextValidatorKey)) {
    await writeKeyFile(paths.nextValidatorKey, { scheme, seed: newKey(scheme).seed, passphrase });
  }
  return createSigner(scheme, (await readKeyFile(paths.nextValidatorKey, { passphrase })).seed);
}
