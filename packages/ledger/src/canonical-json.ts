import { fromUtf8 } from '@nacre/base';
import canonicalize from 'canonicalize';

/** Media type whose payloads are checked on admission. */
export const JSON_MEDIA_TYPE = 'application/json';

/**
 * Whether `bytes` are JSON in its canonical form: RFC 8785. Costs about what parsing and printing cost, so it is bounded by the record's size.
 *
 * Repeated members, other number forms, spaces and other orders all print differently from what was parsed.
 */
export function isCanonicalJson(bytes: Uint8Array): boolean {
  const text = fromUtf8(bytes);
  if (text === undefined) return false;
  try {
    return canonicalize(JSON.parse(text)) === text;
  } catch {
    return false;
  }
}
