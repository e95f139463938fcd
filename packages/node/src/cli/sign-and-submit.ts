import { RPC_WAIT_TIMEOUT_MS_MAX, toHex } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { buildTransaction, NONCE_BYTES, type Operation } from '@nacre/ledger';
import { readConfiguration } from '../configuration.ts';
import { homePaths, openHome, readConfigurationText } from '../home.ts';
import { NodeError } from '../node-error.ts';
import { whyRefused } from '../rpc/change-refusals.ts';
import { systemClock, systemRandom } from '../system-ports.ts';
import type { CommandContext } from './program.ts';
import { RpcFailure } from './rpc-client.ts';

/** How long what people sign may wait for a block, in ms. */
const VALID_MS = 5 * 60_000;
const WAIT_MS = 60_000;

export interface Submitted {
  readonly txId: string;
  readonly status: string;
  readonly height: number | null;
}

/** The home with a validator's key, for what its operator signs. @throws {NodeError} `HOME_INCOMPLETE` if the key is elsewhere */
export async function openOperatorHome(directory: string, context: CommandContext) {
  const paths = homePaths(directory);
  const file = { path: paths.configuration, text: await readConfigurationText(paths) };
  const { genesis: genesisPath } = readConfiguration({ file, environment: {}, flags: {} });
  const opened = await openHome(paths, { genesisPath, passphrase: context.io.environment.NACRE_PASSPHRASE });
  if (opened.validator !== null) return { ...opened, validator: opened.validator };
  throw new NodeError('HOME_INCOMPLETE', `${paths.directory} holds no validator's key`, {
    fields: { path: paths.validatorKey },
    hint: 'Where a signer holds the key, give the home of the signer; a validator-to-be is made by `nacre join --validator`.',
  });
}

/**
 * Signs with a validator's key and waits until the network has decided it.
 *
 * @throws {RpcFailure} `RPC_REFUSED`, in words
 */
export async function signAndSubmit(
  { genesis, validator }: Pick<Awaited<ReturnType<typeof openOperatorHome>>, 'genesis' | 'validator'>,
  operations: readonly Operation[],
  context: CommandContext,
): Promise<Submitted> {
  const { address, keys } = validator;
  const { account } = (await inWords(context.call('account_get', { address: formatAddress(address) }))) as {
    readonly account: { readonly publicKey: string } | null;
  };
  // A key that was rotated and one that is about to be can both be here.
  const signer = keys.signers.find(({ publicKey }) => toHex(publicKey) === account?.publicKey) ?? validator.signer;
  const nonce = systemRandom.bytes(NONCE_BYTES);
  const validUntilMs = systemClock.nowMs() + Math.min(VALID_MS, genesis.parameters.validityWindowMs);
  const transaction = await buildTransaction({ genesis, account: address, operations, validUntilMs, nonce, signer });
  const tx = Buffer.from(transaction.bytes).toString('base64');
  const timeoutMs = Math.min(WAIT_MS, RPC_WAIT_TIMEOUT_MS_MAX);
  return (await inWords(context.call('tx_submit', { tx, wait: 'committed', timeoutMs }, { waitMs: timeoutMs }))) as Submitted;
}

/** What the network refuses, with the sentence for its code. */
export async function inWords(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof RpcFailure)) throw error;
    const { reason, nodeCode } = error.fields as { reason?: string | { readonly code: string }; nodeCode?: string };
    const code = typeof reason === 'string' ? reason : (reason?.code ?? nodeCode ?? '');
    const why = whyRefused(code);
    if (why === undefined) throw error;
    throw new RpcFailure(error.code, `${code}: ${why}`, { cause: error, fields: error.fields });
  }
}
