import { keyOf, type SignedBytes, utf8, type Verifier } from '@nacre/base';
import { ClockMap } from './clock-map.ts';
import { taggedHash } from './tagged-hash.ts';

const CACHE_TAG = 'nacre/1/verified-signature';

/**
 * A verifier that remembers what it found valid, for messages that arrive over several ways.
 *
 * Only valid results are kept: whoever sends garbage must not push out what is known. An entry stands for the signature's
 * bytes too, or a message once verified would vouch for a false signature. Identical checks under way share one verification.
 *
 * @param options `entriesMax`: signatures remembered, about 150 bytes each; beyond, one that was not needed again is forgotten.
 *   As many checks under way are shared; beyond, each is verified by itself.
 */
export function createCachingVerifier(verifier: Verifier, { entriesMax }: { readonly entriesMax: number }): Verifier {
  const valid = new ClockMap<string, true>(entriesMax);
  const underWay = new Map<string, Promise<boolean>>();

  async function verifyOnce(key: string, signed: SignedBytes): Promise<boolean> {
    try {
      const isValid = await verifier.verify(signed);
      if (isValid) valid.set(key, true);
      return isValid;
    } finally {
      underWay.delete(key);
    }
  }

  return {
    verify(signed) {
      const key = cacheKey(signed);
      if (valid.get(key)) return Promise.resolve(true);
      const shared = underWay.get(key);
      if (shared !== undefined) return shared;
      if (underWay.size >= entriesMax) return verifier.verify(signed);
      const result = verifyOnce(key, signed);
      underWay.set(key, result);
      return result;
    },
  };
}

/** The lengths in front keep one field's end from being read as the next one's beginning. */
function cacheKey({ publicKey, context, message, signature }: SignedBytes): string {
  const domain = utf8(context);
  const lengths = new Uint8Array(12);
  const view = new DataView(lengths.buffer);
  view.setUint32(0, publicKey.length);
  view.setUint32(4, domain.length);
  view.setUint32(8, message.length);
  return keyOf(taggedHash(CACHE_TAG, lengths, publicKey, domain, message, signature));
}
