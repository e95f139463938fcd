import { bytesEqual, fromHex, type Signer, toHex, type Verifier } from '@nacre/base';
import { formatAddress, parseAddress } from '@nacre/crypto';
import { type Genesis, POSSESSION_CONTEXT, possessionMessage } from '@nacre/ledger';
import { z } from 'zod';
import { NodeError } from './node-error.ts';

const PossessionFile = z.strictObject({
  genesisHash: z.string().regex(/^[0-9a-f]{64}$/),
  address: z.string(),
  publicKey: z.base64(),
  proofOfPossession: z.base64(),
});

/** What a validator-to-be hands to whoever proposes it. Nothing of it is secret. */
export type KeyPossession = z.output<typeof PossessionFile>;

/** Shows that the key of a home wants to be a validator of the network. */
export async function proveKey(
  genesis: Genesis,
  { address, signer }: { readonly address: Uint8Array; readonly signer: Signer },
): Promise<KeyPossession> {
  const signature = await signer.sign(possessionMessage(genesis.context, address, 'join'), POSSESSION_CONTEXT);
  return {
    genesisHash: toHex(genesis.hash),
    address: formatAddress(address),
    publicKey: Buffer.from(signer.publicKey).toString('base64'),
    proofOfPossession: Buffer.from(signature).toString('base64'),
  };
}

/**
 * Reads what `proveKey` made, and verifies it: the network would refuse a false one without a word to whoever proposed it.
 *
 * @throws {NodeError} `FILE_MALFORMED`, with what is wrong
 */
export async function readPossession(text: string, { genesis, verifier }: { readonly genesis: Genesis; readonly verifier: Verifier }) {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw malformed('it is no JSON');
  }
  const parsed = PossessionFile.safeParse(json);
  if (!parsed.success) throw malformed(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
  const address = parseAddress(parsed.data.address);
  const genesisHash = fromHex(parsed.data.genesisHash);
  if (!address.ok) throw malformed('its address is none');
  if (genesisHash === undefined || !bytesEqual(genesisHash, genesis.hash)) throw malformed('it is for another network');
  const publicKey = new Uint8Array(Buffer.from(parsed.data.publicKey, 'base64'));
  const proofOfPossession = new Uint8Array(Buffer.from(parsed.data.proofOfPossession, 'base64'));
  const message = possessionMessage(genesis.context, address.value, 'join');
  const isProven = await verifier.verify({ publicKey, message, context: POSSESSION_CONTEXT, signature: proofOfPossession });
  if (!isProven) throw malformed('the key has not signed it');
  return { address: address.value, publicKey, proofOfPossession };
}

function malformed(what: string): NodeError {
  return new NodeError('FILE_MALFORMED', `the proof of a key is of no use: ${what}`, {
    hint: 'Have its owner make it anew with `nacre keys prove --home DIR`, with the genesis file of this network.',
  });
}
