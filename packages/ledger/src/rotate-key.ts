import { assert, bytesEqual, fail, ok, type Refusal, type Result, toHex } from '@nacre/base';
import { keyIdOf } from './account-keys.ts';
import type { FailureCode } from './block-effects.ts';
import { isKeyTaken } from './decide-change.ts';
import type { OperationScope } from './execute-operation.ts';
import { memberAt, withMember } from './registry.ts';
import { required } from './required.ts';
import { REGISTRY } from './set-kinds.ts';
import { ACCOUNT } from './state-kinds.ts';

/** Gives the signer's account another key, and its place among the validators if it has one. */
export function rotateKey(publicKey: Uint8Array, scope: OperationScope): Result<void, Refusal<FailureCode>> {
  const { overlay, parameters, timeMs, transaction } = scope;
  const address = transaction.contents.account;
  const account = overlay.get(ACCOUNT, address);
  assert(account !== undefined, 'a transaction is of an account');
  const { retired } = account;
  // Only one key before is kept, so that this one must be past all that it signed.
  if (retired !== null && timeMs <= retired.untilMs) return fail({ code: 'KEY_ROTATED_LATELY', untilMs: retired.untilMs });
  // Of two keys with one id, nobody could tell which one a signature is for.
  if (bytesEqual(keyIdOf(publicKey), keyIdOf(account.publicKey))) return fail({ code: 'KEY_IN_USE', address: toHex(address) });
  const registry = required(overlay, REGISTRY);
  const member = memberAt(registry, address);
  if (member !== undefined) {
    if (isKeyTaken(registry, { address, publicKey })) return fail({ code: 'KEY_IN_USE', address: toHex(address) });
    overlay.set(REGISTRY, null, withMember(registry, { ...member, publicKey }));
  }
  const untilMs = timeMs + parameters.validityWindowMs;
  overlay.set(ACCOUNT, address, { ...account, publicKey, retired: { publicKey: account.publicKey, untilMs } });
  return ok(undefined);
}
