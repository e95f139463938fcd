import { z } from 'zod';
import type { NodeBackend } from '../../backend.ts';
import { RpcError } from '../errors.ts';
import { defineMethod, type Method } from '../method.ts';
import { toBase64 } from '../present.ts';
import { base64Text, count } from '../schemas.ts';

/** What light clients need, which believe nothing that they cannot verify. */
export function lightMethods({ ledger }: NodeBackend): Method[] {
  return [
    defineMethod({
      name: 'light_update',
      summary: 'What takes a checkpoint on: each change of the validators since, decided by those before it, and a newer block.',
      params: z.strictObject({ fromHeight: count.default(0).describe('Height of the checkpoint; 0 is the genesis') }),
      result: z.strictObject({
        update: base64Text.describe('The canonical update, base64'),
        complete: z.boolean().describe('False where more follows: ask again from where this leads to'),
      }),
      errors: ['CHECKPOINT_AHEAD'],
      handle: async ({ fromHeight }) => {
        const update = ledger.lightUpdate({ fromHeight });
        if (!update.ok) throw RpcError.fromRefusal(update.error);
        return { update: toBase64(update.value.bytes), complete: update.value.isComplete };
      },
    }),
  ];
}
