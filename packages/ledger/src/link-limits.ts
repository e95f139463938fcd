/** Changes of the committee that one proof or update may follow. Beyond: `PROOF_TOO_LONG`, or the update ends early and the next one goes on. */
export const LINKS_MAX = 1024;
/** Bytes of these links: about 900 changes among 4 validators, 150 among 31, 50 among 100, with ML-DSA-44. Beyond: as above. */
export const LINKS_BYTES_MAX = 8 * 1024 * 1024;
