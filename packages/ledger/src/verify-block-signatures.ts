import { fail, type Hash, ok, type Refusal, type Result, type Verifier } from '@nacre/base';
import { VOTE_CONTEXT, verifyCertificate, voteMessage } from '@nacre/consensus';
import type { Block, LateCommit } from './block.ts';
import type { EpochInfo } from './epoch-info.ts';
import type { Genesis } from './genesis.ts';

interface Verifying {
  readonly genesis: Genesis;
  readonly verifier: Verifier;
  readonly epochOf: (height: number) => EpochInfo | undefined;
  readonly decidedHash: (height: number) => Hash | undefined;
}

/**
 * The signatures beside a header, which its hash does not cover. A refusal condemns this copy of the block, never the hash.
 *
 * @returns codes of `verifyCertificate`, `PARENT_CERTIFICATE` (for a height that is not decided here), `LATE_COMMIT_UNKNOWN` (its height is not decided here, or has no such validator), `LATE_COMMIT_SIGNATURE`
 */
export async function verifyBlockSignatures(block: Block, verifying: Verifying): Promise<Result<void, Refusal>> {
  const { genesis, verifier, epochOf } = verifying;
  const { parentCertificate } = block;
  if (parentCertificate !== null) {
    const { height } = parentCertificate;
    const epoch = epochOf(height);
    if (epoch === undefined) return fail({ code: 'PARENT_CERTIFICATE', height, problem: 'of a height that is not decided here' });
    const { committee } = epoch;
    const verified = await verifyCertificate({ committee, context: genesis.context, certificate: parentCertificate, verifier });
    if (!verified.ok) return verified;
  }
  const verdicts = await Promise.all(block.lateCommits.map((late) => verifyLateCommit(late, verifying)));
  return verdicts.find((verdict) => !verdict.ok) ?? ok(undefined);
}

async function verifyLateCommit(late: LateCommit, { genesis, verifier, epochOf, decidedHash }: Verifying): Promise<Result<void, Refusal>> {
  const { height, round, validator, signature } = late;
  const blockHash = decidedHash(height);
  const signer = epochOf(height)?.committee.validators[validator];
  if (blockHash === undefined || signer === undefined) return fail({ code: 'LATE_COMMIT_UNKNOWN', height, validator });
  const message = voteMessage(genesis.context, { height, round, kind: 'commit', blockHash });
  const valid = await verifier.verify({ publicKey: signer.publicKey, message, context: VOTE_CONTEXT, signature });
  return valid ? ok(undefined) : fail({ code: 'LATE_COMMIT_SIGNATURE', height, validator });
}
