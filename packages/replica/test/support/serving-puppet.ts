import { type Ledger, Snapshots } from '@nacre/ledger';
import { type Answers, decodeAnswer, encodeAnswer, LOCAL_CONFIGURATION, type Message, type Request } from '@nacre/replica';
import { Mempool } from '../../src/mempool.ts';
import { Serving } from '../../src/serving.ts';
import { MemoryStore } from './memory-store.ts';
import type { Puppet } from './puppet.ts';
import { silentLog } from './test-chain.ts';
import { testVerifier } from './test-keys.ts';

/** Answers as an honest replica with that ledger does, and with the snapshots of a store. */
export function serve(puppet: Puppet, ledger: Ledger, store = new MemoryStore()): void {
  const mempool = new Mempool(LOCAL_CONFIGURATION, { ledger, store: new MemoryStore() });
  const snapshots = new Snapshots({ genesis: ledger.genesis, store, verifier: testVerifier, log: silentLog });
  const serving = new Serving({ chain: ledger.genesis.context, ledger, mempool, snapshots, verifier: testVerifier });
  puppet.answer = (_, frame) => serving.answer(frame);
}

/** Changes what the puppet answers to one kind of question; `undefined` leaves it without an answer. */
export function lie<Kind extends Request['kind']>(
  puppet: Puppet,
  kind: Kind,
  change: (honest: Answers[Kind], request: Extract<Request, { kind: Kind }>) => Answers[Kind] | undefined,
): void {
  const honest = puppet.answer;
  puppet.answer = async (request, frame) => {
    const answer = await honest(request, frame);
    if (request.kind !== kind || answer === undefined) return answer;
    const decoded = decodeAnswer<Kind>(kind, answer);
    if (!decoded.ok) throw new Error(decoded.error.code);
    const changed = change(decoded.value, request as Extract<Request, { kind: Kind }>);
    return changed === undefined ? undefined : encodeAnswer(kind, changed);
  };
}

/** The round state of someone who is about to decide `height`. */
export function claim(height: number): Extract<Message, { kind: 'round-state' }> {
  return { kind: 'round-state', state: { height, round: 0, step: 'propose', working: false, hasProposal: false, votes: [] } };
}
