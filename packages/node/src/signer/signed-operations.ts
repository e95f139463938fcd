import { OPERATION_KINDS, type Operation } from '@nacre/ledger';
import { nearestName } from '../nearest-name.ts';
import { NodeError } from '../node-error.ts';

/** Operations that a node signs by itself with its validator's key. None of them moves weight or keys by its signer's word alone. */
export const OPERATIONS_SIGNED: readonly Operation['kind'][] = ['account.create', 'validator.recover', 'evidence'];

/**
 * Those, and what an operator allows beside them.
 *
 * @param allowed kinds of operations, separated by commas
 * @throws {NodeError} `ARGUMENT_INVALID`
 */
export function operationsSigned(allowed: string | undefined): readonly string[] {
  const more = allowed === undefined ? [] : allowed.split(',').map((kind) => kind.trim());
  for (const kind of more) {
    if (OPERATION_KINDS.includes(kind)) continue;
    const nearest = nearestName(kind, OPERATION_KINDS);
    throw new NodeError('ARGUMENT_INVALID', `there is no operation ${kind}`, {
      fields: { argument: 'allow', value: kind },
      hint: nearest === undefined ? `There are ${OPERATION_KINDS.join(', ')}.` : `Did you mean ${nearest}?`,
    });
  }
  return [...OPERATIONS_SIGNED, ...more];
}
