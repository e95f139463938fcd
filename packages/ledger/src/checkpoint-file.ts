import { fail, fromHex, HASH_BYTES, type Hash, ok, type Refusal, type Result, toHex } from '@nacre/base';
import { Committee, type Validator } from '@nacre/consensus';
import { formatAddress, parseAddress } from '@nacre/crypto';
import { base64Decode, base64Encode } from './base64.ts';
import type { Checkpoint } from './checkpoint.ts';

const CHECKPOINT_VERSION = 1;
/** Characters of a checkpoint's file at most; a hundred ML-DSA-87 keys take 350,000. Beyond: refused unread. */
const CHECKPOINT_CHARACTERS_MAX = 1024 * 1024;

/** The text of a checkpoint's file: JSON, so that people can compare block hash and committee hash with what others have. */
export function formatCheckpoint({ genesisHash, height, blockHash, timeMs, epoch, committee }: Checkpoint): string {
  const validators = committee.validators.map(({ address, publicKey, weight }) => ({
    address: formatAddress(address),
    publicKey: base64Encode(publicKey),
    weight,
  }));
  const file = {
    version: CHECKPOINT_VERSION,
    genesisHash: toHex(genesisHash),
    height,
    blockHash: toHex(blockHash),
    timeMs,
    epoch,
    committeeHash: toHex(committee.hash),
    validators,
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/**
 * Reads a checkpoint's file. It says what its holder trusts, so only where it comes from can make it right: nothing in it is proven.
 *
 * @returns code `CHECKPOINT_MALFORMED`, with what is wrong; whether it belongs to one's network, `checkTrusted` says
 */
export function parseCheckpoint(text: string): Result<Checkpoint, Refusal> {
  if (text.length > CHECKPOINT_CHARACTERS_MAX) return malformed('too large');
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    return malformed('not JSON');
  }
  if (typeof file !== 'object' || file === null) return malformed('not an object');
  const { version, genesisHash, height, blockHash, timeMs, epoch, committeeHash, validators } = file as Readonly<Record<string, unknown>>;
  if (version !== CHECKPOINT_VERSION) return malformed('not of a version that is known');
  if (!isCount(height) || !isCount(timeMs) || !isCount(epoch)) return malformed('height, timeMs and epoch are whole numbers');
  const [network, block] = [readHash(genesisHash), readHash(blockHash)];
  if (network === undefined || block === undefined) return malformed('genesisHash and blockHash are 32 bytes, lower-case hex');
  const committee = readCommittee(validators);
  if (committee === null) return malformed('validators are not a committee');
  if (committeeHash !== toHex(committee.hash)) return malformed('committeeHash is not that of the validators');
  return ok({ genesisHash: network, height, blockHash: block, timeMs, epoch, committee });
}

function readCommittee(list: unknown): Committee | null {
  if (!Array.isArray(list)) return null;
  const validators: Validator[] = [];
  for (const entry of list as readonly unknown[]) {
    if (typeof entry !== 'object' || entry === null) return null;
    const { address, publicKey, weight } = entry as Readonly<Record<string, unknown>>;
    const parsed = typeof address === 'string' ? parseAddress(address) : undefined;
    const key = base64Decode(publicKey);
    if (parsed?.ok !== true || key === undefined || typeof weight !== 'number') return null;
    validators.push({ address: parsed.value, publicKey: key, weight });
  }
  // What the network allows was judged when the committee was decided.
  const created = Committee.create(validators, { allowLargeWeights: true });
  return created.ok ? created.value : null;
}

function malformed(problem: string): { readonly ok: false; readonly error: Refusal } {
  return fail({ code: 'CHECKPOINT_MALFORMED', problem });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function readHash(value: unknown): Hash | undefined {
  const bytes = typeof value === 'string' ? fromHex(value) : undefined;
  return bytes?.length === HASH_BYTES && toHex(bytes) === value ? bytes : undefined;
}
