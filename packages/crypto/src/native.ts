export { KeyError, type KeyErrorCode, type KeyFile, type NewKeyFile, readKeyFile, writeKeyFile } from './key-file.ts';
export {
  createSigner,
  createVerifier,
  IMPORTED_KEYS_MAX,
  nativePublicKeyFromSeed,
  nativeSigner,
  nativeSignWithSeed,
  nativeSupported,
  nativeVerifier,
  nativeVerifySignature,
} from './native-signer.ts';
