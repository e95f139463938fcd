import type { Operation } from '@nacre/ledger';

/** Operations that a node signs by itself with its validator's key. None of them moves weight or keys, which is for people to sign. */
export const OPERATIONS_SIGNED: readonly Operation['kind'][] = ['account.create', 'validator.recover'];
