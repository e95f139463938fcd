import type { Offence } from '@nacre/ledger';
import { expect, test } from 'vitest';
import type { NodeBackend } from '../src/backend.ts';
import { evidenceMethods } from '../src/rpc/methods/evidence-methods.ts';

test('a node that has an offence in its state and not the block that proves it says so', async () => {
  const offence: Offence = {
    address: new Uint8Array(32),
    height: 3,
    round: 0,
    kind: 'commit',
    provenHeight: 5,
    bodyHash: new Uint8Array(32).fill(1),
    operation: 0,
  };
  const validatorSet = { offences: () => [{ number: 0, offence }], registry: { offenceCount: 1 } };
  const ledger = { validatorSet, epochOf: () => ({ epoch: 0 }), body: () => undefined };
  const [list] = evidenceMethods({ ledger, genesis: { validators: [] } } as unknown as NodeBackend);
  const asked = async () => list?.call({}, { signal: new AbortController().signal, subscriptions: null });
  await expect(asked()).rejects.toMatchObject({ code: 'EVIDENCE_PRUNED', fields: { offence: 0, provenHeight: 5 } });
});
