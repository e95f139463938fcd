import { fromUtf8, utf8 } from '@nacre/base';
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

/** @returns the canonical form in UTF-8, RFC 8785; undefined if there is none: a number that is not finite, a circle, a text that is not Unicode */
export function canonicalJson(value: unknown): Uint8Array | undefined {
  try {
    const text = canonicalize(value);
    return text === undefined ? undefined : utf8(text);
  } catch {
    return undefined;
  }
}
