import type { Result } from '@nacre/base';
import { advanceCheckpoint, type Checkpoint, genesisCheckpoint, type TrustPeriod } from '@nacre/ledger';
import { expect } from 'vitest';
import { type LightUpdate, lightUpdateCodec } from '../../src/light-update.ts';
import { type EncodedLightUpdate, makeLightUpdate } from '../../src/make-proof.ts';
import type { ChangingChain } from './changing-chain.ts';
import { fakeVerifier } from './fake-keys.ts';

interface Range {
  readonly fromHeight?: number;
  readonly toHeight?: number;
}

/** What a node that holds the chain up to a height answers to a light client. */
export function answer(chain: ChangingChain, { fromHeight = 0, toHeight = chain.height }: Range = {}): Result<EncodedLightUpdate> {
  const { header, certificate } = chain.block(toHeight);
  const tip = { height: toHeight, blockHash: header.parentHash, timeMs: header.timeMs, stateRoot: header.stateRoot, header, certificate };
  return makeLightUpdate({ tip, committeeAt: () => chain.committee(header.epoch), changes: chain.changes, fromHeight });
}

export function updateBytes(chain: ChangingChain, range: Range = {}): Uint8Array {
  const made = answer(chain, range);
  return made.ok ? made.value.bytes : expect.unreachable(made.error.code);
}

export function update(chain: ChangingChain, range: Range = {}): LightUpdate {
  const decoded = lightUpdateCodec.decode(updateBytes(chain, range));
  return decoded.ok ? decoded.value : expect.unreachable(decoded.error.code);
}

interface Trusting {
  /** By default the genesis. */
  readonly from?: Checkpoint;
  readonly trustPeriod?: TrustPeriod;
}

export async function advance(chain: ChangingChain, given: LightUpdate | Uint8Array, { from, trustPeriod }: Trusting = {}) {
  const bytes = given instanceof Uint8Array ? given : lightUpdateCodec.encode(given);
  const options = { genesis: chain.genesis, verifier: fakeVerifier, ...(trustPeriod === undefined ? {} : { trustPeriod }) };
  return advanceCheckpoint(from ?? genesisCheckpoint(chain.genesis), bytes, options);
}

export async function reached(chain: ChangingChain, given: LightUpdate | Uint8Array, more: Trusting = {}): Promise<Checkpoint> {
  const advanced = await advance(chain, given, more);
  return advanced.ok ? advanced.value : expect.unreachable(JSON.stringify(advanced.error));
}

/** Why an update is refused, in words for a test. */
export async function refusal(chain: ChangingChain, given: LightUpdate | Uint8Array, more: Trusting = {}): Promise<string> {
  const advanced = await advance(chain, given, more);
  if (advanced.ok) return 'accepted';
  const { code, problem } = advanced.error;
  return typeof problem === 'string' ? `${code}: ${problem}` : code;
}
