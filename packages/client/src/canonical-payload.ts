import { canonicalJson } from '@nacre/ledger';
import { NacreClientError } from './client-error.ts';

/**
 * The bytes of a JSON payload as they are signed.
 *
 * @throws {NacreClientError} `PAYLOAD_INVALID`; `JSON.stringify` would make null of a number that is not finite, and say nothing
 */
export function canonicalPayload(payload: unknown, service: string): Uint8Array {
  const bytes = canonicalJson(payload);
  if (bytes !== undefined) return bytes;
  throw new NacreClientError('PAYLOAD_INVALID', payload === undefined ? 'no payload is given' : 'the payload has no canonical JSON form', {
    fields: { service },
    hint: 'Numbers must be finite, no BigInt, and texts well-formed Unicode (RFC 8785).',
  });
}
