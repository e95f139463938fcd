/** `@nacre/client/key-file`: keys at rest, as `nacre keys` makes them. Node.js only, and one that has ML-DSA. */
export { KeyError, type KeyErrorCode, type KeyFile, type NewKeyFile, readKeyFile, writeKeyFile } from '@nacre/crypto/native';
