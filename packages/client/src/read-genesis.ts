import { type Genesis, parseGenesis } from '@nacre/ledger';
import { NacreClientError } from './client-error.ts';

/**
 * Reads a genesis file's text.
 *
 * @throws {NacreClientError} `GENESIS_INVALID`
 */
export function readGenesis(text: string): Genesis {
  const parsed = parseGenesis(text);
  if (parsed.ok) return parsed.value;
  throw new NacreClientError('GENESIS_INVALID', `not a genesis: ${parsed.error.code}`, {
    fields: { refusal: parsed.error },
    hint: 'Give the text of the genesis.json that the network was started with.',
  });
}
