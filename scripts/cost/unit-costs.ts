import { decodeVote, encodeVote, VOTE_CONTEXT, type Vote, voteMessage } from '@nacre/consensus';
import { nativeSigner, nativeVerifier } from '@nacre/crypto/native';
import { medianSyncMs } from '../bench/machine.ts';

const CALLS = 300;

/** CPU of one of each, in ms, and the time of a sync. */
export interface UnitCosts {
  /** ML-DSA-44, with imported keys. */
  readonly signMs: number;
  readonly verifyMs: number;
  readonly decodeVoteMs: number;
  /** Append of 4 KiB and sync. */
  readonly syncMs: number;
}

export async function measureUnitCosts(): Promise<UnitCosts> {
  const signer = nativeSigner('ml-dsa-44', new Uint8Array(32).fill(1));
  const verifier = nativeVerifier('ml-dsa-44');
  const content = { height: 7, round: 0, kind: 'prepare', blockHash: new Uint8Array(32).fill(2) } as const;
  const message = voteMessage({ genesisHash: new Uint8Array(32).fill(3), chain: 0 }, content);
  const signature = await signer.sign(message, VOTE_CONTEXT);
  const vote: Vote = { ...content, validator: 0, signature };
  const encoded = encodeVote(vote);
  return {
    signMs: await cpuMs(() => signer.sign(message, VOTE_CONTEXT)),
    verifyMs: await cpuMs(() => verifier.verify({ publicKey: signer.publicKey, message, context: VOTE_CONTEXT, signature })),
    decodeVoteMs: await cpuMs(() => decodeVote(encoded)),
    syncMs: medianSyncMs(),
  };
}

/** CPU of this process, all threads, for one call after as many to warm up. */
async function cpuMs(run: () => unknown): Promise<number> {
  for (let i = 0; i < CALLS; i++) await run();
  const before = process.cpuUsage();
  for (let i = 0; i < CALLS; i++) await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / CALLS;
}
