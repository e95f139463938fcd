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
  const { code, problem } = parsed.error;
  throw invalid(typeof problem === 'string' ? problem : code, { refusal: parsed.error });
}

/**
 * For programs that no compiler checks.
 *
 * @throws {NacreClientError} `GENESIS_INVALID` for what {@link readGenesis} has not returned
 */
export function checkGenesis(genesis: Genesis): Genesis {
  if (genesis.hash instanceof Uint8Array) return genesis;
  throw invalid('neither a text nor what readGenesis returns', {});
}

function invalid(problem: string, fields: Readonly<Record<string, unknown>>): NacreClientError {
  return new NacreClientError('GENESIS_INVALID', `not a genesis: ${problem}`, {
    fields,
    hint: "Give the text of the network's genesis.json: not its path, and not the parsed JSON.",
  });
}
