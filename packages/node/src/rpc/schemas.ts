import { fromHex, type Hash } from '@nacre/base';
import { isName } from '@nacre/ledger';
import { z } from 'zod';

/** Schemas that several methods share. Those of parameters read bytes; those of results describe the JSON that is sent. */

const HASH_PATTERN = /^[0-9a-f]{64}$/;
const BASE64_PATTERN = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const SCHEMA_PATTERN = /^([a-z0-9._/-]+)@([1-9][0-9]{0,9})$/;
/** Largest schema version, a field of 32 bits. */
const SCHEMA_VERSION_MAX = 2 ** 32 - 1;

export const hashText = z.string().regex(HASH_PATTERN).describe('32 bytes, lower-case hex');
export const hashParam = hashText.transform((text): Hash => fromHex(text) as Hash);
export const addressText = z.string().describe('An address, bech32m');
export const base64Text = z.string().regex(BASE64_PATTERN).describe('Bytes, base64 (RFC 4648, section 4)');
/** Bytes in base64, in the one form that encodes them. */
export const base64Param = z
  .string()
  .transform((text, context): Uint8Array => {
    const bytes = Buffer.from(text, 'base64');
    if (bytes.toString('base64') === text) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    context.addIssue({ code: 'custom', message: 'not base64 with padding, or not its canonical form' });
    return z.NEVER;
  })
  .describe('Bytes, base64 (RFC 4648, section 4)');

export const count = z.int().nonnegative();
export const timeMs = count.describe('Ms since 1970');
export const chainNumber = count.describe('0 coordinates; shards count from 1');
export const chainParam = chainNumber.default(0);

export const nameParam = z.string().refine(isName, 'a name is up to 64 lower-case letters, digits and . _ / -');
export const schemaText = z.string().describe('name@version');
/** `name@version`, read. */
export const schemaParam = z
  .string()
  .transform((text, context): { readonly name: string; readonly version: number } => {
    const [, name = '', digits = ''] = SCHEMA_PATTERN.exec(text) ?? [];
    const version = Number(digits);
    if (isName(name) && version <= SCHEMA_VERSION_MAX) return { name, version };
    context.addIssue({ code: 'custom', message: 'a schema is name@version, the version a whole number from 1' });
    return z.NEVER;
  })
  .describe('name@version');
