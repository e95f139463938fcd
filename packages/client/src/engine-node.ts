/** ML-DSA of the runtime where it has it: chosen by the condition "node" of #engine. */
export { createSigner, createVerifier } from '@nacre/crypto/native';
