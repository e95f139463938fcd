import { fail, ok, type Result } from '@nacre/base';
import { anything, flag, object, oneOf, readShape, text, variant } from './answer-shape.ts';
import { fromBase64, toBase64 } from './base64.ts';
import { NacreRpcError } from './client-error.ts';

/** What an outbox still has to do about an item: get its transaction decided, or tell that no node takes it. */
export type OutboxContent =
  | { readonly kind: 'transaction'; readonly tx: Uint8Array }
  | { readonly kind: 'refused'; readonly txId: string; readonly error: NacreRpcError };

const CONTENT = variant('kind', {
  transaction: object({ version: oneOf('1'), tx: text }),
  refused: object({ version: oneOf('1'), txId: text, code: text, message: text, retryable: flag, hint: text, fields: anything }),
});

/** As text, for stores. */
export function encodeContent(content: OutboxContent): string {
  if (content.kind === 'transaction') return JSON.stringify({ version: '1', kind: 'transaction', tx: toBase64(content.tx) });
  const { code, message, retryable, hint = '', fields } = content.error;
  return JSON.stringify({ version: '1', kind: 'refused', txId: content.txId, code, message, retryable, hint, fields });
}

/** @returns the content, or what is wrong with it */
export function decodeContent(encoded: string): Result<OutboxContent, string> {
  let value: unknown;
  try {
    value = JSON.parse(encoded);
  } catch {
    return fail('not JSON');
  }
  const read = readShape(CONTENT, value);
  if (!read.ok) return read;
  if (read.value.kind === 'refused') {
    const { txId, code, message, retryable, hint, fields } = read.value;
    const known = typeof fields === 'object' && fields !== null ? { fields: fields as Readonly<Record<string, unknown>> } : {};
    return ok({ kind: 'refused', txId, error: new NacreRpcError(code, message, { retryable, hint, ...known }) });
  }
  const tx = fromBase64(read.value.tx);
  return tx === undefined ? fail('the transaction is not base64') : ok({ kind: 'transaction', tx });
}
