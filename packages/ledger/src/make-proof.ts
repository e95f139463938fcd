import { assert, fail, type Hash, ok, type Refusal, type Result } from '@nacre/base';
import { type Committee, minimalCertificate } from '@nacre/consensus';
import { inclusionProof, proveKey, type StateProof } from '@nacre/crypto';
import type { CommittedState } from './committed-state.ts';
import type { Tip } from './ledger-types.ts';
import { readState } from './overlay.ts';
import { type ProofClaim, proofCodec } from './proof.ts';
import type { ServiceRecord } from './record.ts';
import { LATEST_RECORD, RECORD_LOG } from './state-kinds.ts';

interface ProofPlace {
  readonly tip: Tip;
  readonly state: CommittedState;
  readonly committee: Committee;
}

/** What is to be proven against the tip's state. */
export type ProofSubject =
  | { readonly kind: 'included'; readonly record: ServiceRecord }
  | { readonly kind: 'latest'; readonly record: ServiceRecord }
  | { readonly kind: 'absent'; readonly service: string; readonly key: string };

/** The canonical bytes of a proof. @returns `NO_CERTIFICATE` while the tip's own certificate is not here */
export function makeProof(subject: ProofSubject, { tip, state, committee }: ProofPlace): Result<Uint8Array, Refusal> {
  const { header, certificate } = tip;
  if (header === null || certificate === null) return fail({ code: 'NO_CERTIFICATE', height: tip.height });
  const claim = makeClaim(subject, state);
  return ok(proofCodec.encode({ claim, header, certificate: minimalCertificate(committee, certificate) }));
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
