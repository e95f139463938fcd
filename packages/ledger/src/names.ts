/** Characters of a service's, schema's or network's name at most. They are ASCII, so bytes as well. */
export const NAME_LENGTH_MAX = 64;
/** Characters of a media type at most. RFC 6838, section 4.2, allows 127 for each half; this bounds both together. */
export const MEDIA_TYPE_LENGTH_MAX = 127;

const NAME = /^[a-z0-9](?:[a-z0-9._/-]*[a-z0-9])?$/;
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/;

/**
 * Names of services, schemas and networks: lower-case letters, digits and `. _ / -`, beginning and ending with a letter or digit.
 * One alphabet without look-alikes, so that two names that read the same are the same.
 */
export function isName(text: string): boolean {
  return text.length <= NAME_LENGTH_MAX && NAME.test(text);
}

/** A media type without parameters, in lower case. RFC 6838, section 4.2. */
export function isMediaType(text: string): boolean {
  return text.length <= MEDIA_TYPE_LENGTH_MAX && MEDIA_TYPE.test(text);
}
