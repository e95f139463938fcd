import { fail, ok, type Refusal, type Result } from '@nacre/base';
import type { BlockExecution } from './block-execution.ts';
import { isCanonicalJson, JSON_MEDIA_TYPE } from './canonical-json.ts';
import type { Transaction } from './transaction.ts';

/**
 * Whether a transaction would have effect if the next block held it alone, which is what a client wants to know before it waits.
 *
 * Canonical JSON is asked for here and not of blocks: no block's validity hangs on a JSON parser, and replaying a chain does not pay for one.
 * A Byzantine proposer can thus get other JSON in, which is then the writer's own signed bytes like any other payload.
 *
 * @param execution an empty one on the tip, at the time of the caller's clock
 * @returns codes of `BlockExecution.include`, of failed operations (with `operation`), and `PAYLOAD_NOT_CANONICAL` (with `operation` and `record`)
 */
export function checkAdmission(transaction: Transaction, execution: BlockExecution): Result<void, Refusal> {
  const included = execution.include(transaction);
  if (!included.ok) return included;
  if (included.value.status === 'failed') return fail(execution.failure ?? { ...included.value.reason });
  for (const [operation, content] of transaction.contents.operations.entries()) {
    if (content.kind !== 'record.append' || content.mediaType !== JSON_MEDIA_TYPE) continue;
    const record = content.records.findIndex(({ payload }) => !isCanonicalJson(payload));
    if (record >= 0) return fail({ code: 'PAYLOAD_NOT_CANONICAL', operation, record });
  }
  return ok(undefined);
}
