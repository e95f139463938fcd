import { assert, type Hash, utf8 } from '@nacre/base';
import { hashOfParts } from './hash-of-parts.ts';

/** Tags kept in encoded form. They are constants of the program, so reaching this is a bug: a tag was made from data. */
const TAGS_MAX = 256;

const encodedTags = new Map<string, Uint8Array>();

/**
 * SHA-256(utf8(tag) || 0x00 || parts...): a hash that cannot be mistaken for one of another kind.
 *
 * Tags start with `nacre/` and contain no NUL, so no tagged input is a prefix of another tag's, and none starts with the
 * bytes 0x00 and 0x01 of the Merkle trees. The parts are only concatenated: at most one of them may vary in length, or the
 * caller delimits them.
 */
export function taggedHash(tag: string, ...parts: readonly Uint8Array[]): Hash {
  return hashOfParts(encodedTag(tag), ...parts);
}

function encodedTag(tag: string): Uint8Array {
  let encoded = encodedTags.get(tag);
  if (encoded === undefined) {
    assert(tag.startsWith('nacre/') && !tag.includes('\0'), `hash tag ${JSON.stringify(tag)} must start with nacre/ and contain no NUL`);
    assert(encodedTags.size < TAGS_MAX, 'too many hash tags: a tag must be a constant');
    encoded = utf8(`${tag}\0`);
    encodedTags.set(tag, encoded);
  }
  return encoded;
}
