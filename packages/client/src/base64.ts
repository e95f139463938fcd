/** Bytes turned into text at once; more arguments than this overflow the stack of some engines. */
const CHUNK_BYTES = 8192;

/** RFC 4648, section 4. */
export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let from = 0; from < bytes.length; from += CHUNK_BYTES) binary += String.fromCharCode(...bytes.subarray(from, from + CHUNK_BYTES));
  return btoa(binary);
}

/** @returns the bytes, or undefined if `text` is not base64 */
export function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
