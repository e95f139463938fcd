/** ML-DSA in plain JavaScript: what browsers load as #engine. */
export { portableSigner as createSigner, portableVerifier as createVerifier } from '@nacre/crypto';
