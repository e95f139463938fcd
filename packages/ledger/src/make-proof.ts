import { assert, fail, type Hash, ok, type Refusal, type Result } from '@nacre/base';
import { type Committee, minimalCertificate } from '@nacre/consensus';
import { inclusionProof, proveKey, type StateProof } from '@nacre/crypto';
import type { CertifiedHeader } from './certified-header.ts';
import type { CommittedState } from './committed-state.ts';
import type { CommitteeChanges } from './committee-changes.ts';
import { changesCommittee } from './header.ts';
import type { Tip } from './ledger-types.ts';
import { lightUpdateCodec } from './light-update.ts';
import { readState } from './overlay.ts';
import { type ProofClaim, proofCodec } from './proof.ts';
import type { ServiceRecord } from './record.ts';
import { LATEST_RECORD, RECORD_LOG } from './state-kinds.ts';

/** Where a proof or update is to begin and to end. */
export interface Way {
  readonly tip: Tip;
  readonly committeeAt: (height: number) => Committee;
  readonly changes: CommitteeChanges;
  /** Of the checkpoint that the asker trusts; 0 for the genesis. */
  readonly fromHeight: number;
}

/** What takes a light client on, as far as it fits. */
export interface EncodedLightUpdate {
  readonly bytes: Uint8Array;
  /** False if an update from where this one leads to is to follow. */
  readonly isComplete: boolean;
}

/** What is to be proven against the tip's state. */
export type ProofSubject =
  | { readonly kind: 'included'; readonly record: ServiceRecord }
  | { readonly kind: 'latest'; readonly record: ServiceRecord }
  | { readonly kind: 'absent'; readonly service: string; readonly key: string };

/**
 * The canonical bytes of a proof.
 *
 * @returns codes `NO_CERTIFICATE` while the tip's own certificate is not here, `CHECKPOINT_AHEAD` if the tip has to move first, and `PROOF_TOO_LONG`
 * where the committee changed too often since the checkpoint
 */
export function makeProof(subject: ProofSubject, state: CommittedState, way: Way): Result<Uint8Array, Refusal> {
  const { tip, changes, fromHeight } = way;
  const decided = decidedTip(way);
  if (decided === null) return fail({ code: 'NO_CERTIFICATE', height: tip.height });
  // Who stands at the last block of a committee does not know it any more, and the next one has decided nothing yet.
  const isAhead = fromHeight > tip.height || (fromHeight === tip.height && changesCommittee(decided.header));
  if (isAhead) return fail({ code: 'CHECKPOINT_AHEAD', fromHeight, tipHeight: tip.height });
  const { links, isComplete } = changes.links({ fromHeight, toHeight: tip.height });
  if (!isComplete) return fail({ code: 'PROOF_TOO_LONG', fromHeight, links: links.length });
  return ok(proofCodec.encode({ claim: makeClaim(subject, state), links, ...decided }));
}

/** The canonical bytes of a light update. @returns code `CHECKPOINT_AHEAD` */
export function makeLightUpdate(way: Way): Result<EncodedLightUpdate, Refusal> {
  const { tip, changes, fromHeight } = way;
  if (fromHeight > tip.height) return fail({ code: 'CHECKPOINT_AHEAD', fromHeight, tipHeight: tip.height });
  if (fromHeight === tip.height) return ok({ bytes: lightUpdateCodec.encode({ links: [], head: null }), isComplete: true });
  const { links, isComplete } = changes.links({ fromHeight, toHeight: tip.height });
  const decided = isComplete ? decidedTip(way) : null;
  const head = decided === null || changesCommittee(decided.header) ? null : decided;
  return ok({ bytes: lightUpdateCodec.encode({ links, head }), isComplete });
}

/** The tip with as few commits as decide it; null without its own certificate. */
function decidedTip({ tip: { header, certificate }, committeeAt }: Way): CertifiedHeader | null {
  if (header === null || certificate === null) return null;
  return { header, certificate: minimalCertificate(committeeAt(header.height), certificate) };
}

function makeClaim(subject: ProofSubject, state: CommittedState): ProofClaim {
  if (subject.kind === 'included') {
    const { record } = subject;
    const log = readState(state.read, RECORD_LOG, record.service);
    assert(log !== undefined, 'a record belongs to a service');
    const inclusion = inclusionProof({ size: log.recordCount, readTile: state.logTiles(record.service) }, record.index);
    return { kind: 'included', record, ...log, inclusion, state: prove(state, RECORD_LOG.stateKey(record.service), true) };
  }
  if (subject.kind === 'latest') {
    const { record } = subject;
    const stateKey = LATEST_RECORD.stateKey({ service: record.service, key: record.key });
    return { kind: 'latest', record, state: prove(state, stateKey, true) };
  }
  const { service, key } = subject;
  const stateKey = LATEST_RECORD.stateKey({ service, key });
  return { kind: 'absent', service, key, stateKey, state: prove(state, stateKey, false) };
}

function prove({ pages, root }: CommittedState, stateKey: Hash, isPresent: boolean): StateProof {
  const { valueHash, proof } = proveKey(pages, root, stateKey);
  assert((valueHash !== null) === isPresent, 'the records say which keys the state holds');
  return proof;
}
