import { assert } from '@nacre/base';
import type { Overlay } from './overlay.ts';
import type { StateKind } from './state-kinds.ts';

/** A value of which there is one, from genesis on. */
export function required<Value>(overlay: Pick<Overlay, 'get'>, kind: StateKind<null, Value>): Value {
  const value = overlay.get(kind, null);
  assert(value !== undefined, 'the state holds it from genesis on');
  return value;
}
