import { addressOf, formatAddress, parseAddress, type SignatureScheme } from '@nacre/crypto';
import { PARAMETER_NAMES, type SetChange } from '@nacre/ledger';
import { z } from 'zod';
import { toBase64 } from './present.ts';
import { addressText, base64Param, base64Text, count } from './schemas.ts';

const addressParam = z
  .string()
  .transform((text, context): Uint8Array => {
    const parsed = parseAddress(text);
    if (parsed.ok) return parsed.value;
    context.addIssue({ code: 'custom', message: 'no address' });
    return z.NEVER;
  })
  .describe('An address, bech32m');
const weightParam = count.describe('A whole number; 1,000 is usual');

/** A change of the validators or the parameters, as calls name it. */
export const SetChangeParam = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('validator.join'),
    publicKey: base64Param,
    weight: weightParam,
    address: addressParam.optional().describe('Of an account that exists; else it is the hash of the key'),
  }),
  z.strictObject({ kind: z.literal('validator.leave'), address: addressParam }),
  z.strictObject({ kind: z.literal('validator.weight'), address: addressParam, weight: weightParam }),
  z.strictObject({ kind: z.literal('validator.rehabilitate'), address: addressParam }),
  z.strictObject({ kind: z.literal('parameters.change'), name: z.enum(PARAMETER_NAMES), value: count }),
]);

export function setChangeOf(change: z.output<typeof SetChangeParam>, scheme: SignatureScheme): SetChange {
  return change.kind === 'validator.join' ? { ...change, address: change.address ?? addressOf(scheme, change.publicKey) } : change;
}

/** How a change is shown. */
export const SetChangeJson = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('validator.join'), address: addressText, publicKey: base64Text, weight: count }),
  z.strictObject({ kind: z.literal('validator.leave'), address: addressText }),
  z.strictObject({ kind: z.literal('validator.weight'), address: addressText, weight: count }),
  z.strictObject({ kind: z.literal('validator.rehabilitate'), address: addressText }),
  z.strictObject({ kind: z.literal('parameters.change'), name: z.string(), value: count }),
]);

export function setChangeJson(change: SetChange): z.input<typeof SetChangeJson> {
  if (change.kind === 'parameters.change') return change;
  const address = formatAddress(change.address);
  switch (change.kind) {
    case 'validator.join':
      return { kind: change.kind, address, publicKey: toBase64(change.publicKey), weight: change.weight };
    case 'validator.weight':
      return { kind: change.kind, address, weight: change.weight };
    case 'validator.leave':
    case 'validator.rehabilitate':
      return { kind: change.kind, address };
  }
}
