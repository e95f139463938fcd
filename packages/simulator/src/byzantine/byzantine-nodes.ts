import { assert } from '@nacre/base';
import { PROPOSAL_CONTEXT, proposalMessage, VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import type { Genesis } from '@nacre/ledger';
import { type Answers, decodeAnswer, decodeMessage, encodeAnswer, encodeMessage, type Message, type Request } from '@nacre/replica';
import type { ClusterReplica } from '../cluster-replica.ts';
import type { FaultTally } from '../fault-tally.ts';
import type { SeededRandom } from '../random.ts';
import { nodesOf, type Scenario, twinsOf } from '../scenario.ts';
import type { Scheduler } from '../scheduler.ts';
import type { SimKey } from '../signature-kit.ts';
import type { InterposedFrame, OutgoingFrame, SimNetwork } from '../sim-network.ts';
import type { SimValidator } from '../sim-validator.ts';
import type { Actor, AnyAnswer, ByzantineWorld, Substitute } from './behaviour.ts';
import { BEHAVIOURS, type BehaviourName } from './behaviours.ts';

interface Options {
  readonly scenario: Scenario;
  readonly genesis: Genesis;
  /** In the order of the nodes. */
  readonly keys: readonly SimValidator[];
}

interface Dependencies {
  readonly random: SeededRandom;
  readonly scheduler: Scheduler;
  readonly tally: FaultTally;
  /** Made after this, because they call this. */
  readonly network: () => SimNetwork;
  readonly replicaOf: (node: number) => ClusterReplica | null;
}

/** Order of the request kinds on the wire: the second byte of an answer. */
const ANSWER_KINDS: readonly Request['kind'][] = ['block', 'bodies', 'headers', 'blocks', 'snapshots', 'snapshot-parts'];

/** The nodes that break the rules, and what stands between their replicas and the network. */
export class ByzantineNodes {
  readonly #actors = new Map<number, Actor>();
  readonly #dependencies: Dependencies;
  /** Broadcast frames leave once for each peer; each is read once. */
  readonly #messages = new WeakMap<Uint8Array, Message | null>();

  constructor(options: Options, dependencies: Dependencies) {
    this.#dependencies = dependencies;
    const { scenario } = options;
    for (const { node, behaviour } of scenario.byzantine) this.#add(node, node, behaviour, options);
    const firstTwin = scenario.weights.length + scenario.followers;
    for (const [i, original] of twinsOf(scenario).entries()) this.#add(firstTwin + i, original, 'twins', options);
  }

  has(node: number): boolean {
    return this.#actors.has(node);
  }

  get isEmpty(): boolean {
    return this.#actors.size === 0;
  }

  /** Begins what they do by themselves. Call at virtual time 0. */
  start(): void {
    for (const { act } of this.#actors.values()) if (act !== undefined) this.#repeat(act);
  }

  interpose(frame: OutgoingFrame): readonly InterposedFrame[] {
    const actor = this.#actors.get(frame.from);
    const unchanged = [{ bytes: frame.bytes, delayMs: 0 }];
    if (actor === undefined) return unchanged;
    if (frame.kind === 'message') {
      const message = this.#read(frame.bytes);
      const substitute = message === null ? undefined : actor.send?.(message, frame.to);
      return substitute === undefined ? unchanged : encodeAll(substitute, encodeMessage);
    }
    if (frame.kind === 'answer') {
      const answer = readAnswer(frame.bytes);
      const substitute = answer === null ? undefined : actor.answer?.(answer, frame.to);
      return substitute === undefined ? unchanged : encodeAll(substitute, ({ kind, answer: content }) => encodeAnswer(kind, content));
    }
    return unchanged;
  }

  accept(frame: OutgoingFrame): Uint8Array | null {
    const receive = this.#actors.get(frame.to)?.receive;
    if (receive === undefined || frame.kind !== 'message') return frame.bytes;
    const message = this.#read(frame.bytes);
    const seen = message === null ? undefined : receive(message, frame.from);
    if (seen === undefined) return frame.bytes;
    return seen === null ? null : encodeMessage(seen);
  }

  #add(node: number, original: number, behaviour: BehaviourName, options: Options): void {
    this.#actors.set(node, BEHAVIOURS[behaviour](this.#worldOf(node, original, options)));
  }

  #worldOf(node: number, original: number, { scenario, genesis, keys }: Options): ByzantineWorld {
    const { random, tally, network, replicaOf } = this.#dependencies;
    const holder = keys[original];
    assert(holder !== undefined, 'a Byzantine node is a validator');
    const chain = genesis.context;
    /** Its place, and the key that counts there, at a height; of heights that it does not know, those of the next one. */
    const placeAt = (height: number): { readonly validator: number; readonly key: SimKey } => {
      const ledger = scenario.changes === null ? undefined : replicaOf(node)?.ledger;
      const known = ledger?.epochOf(height) ?? ledger?.epochOf(ledger.tip.height + 1);
      const committee = known?.committee ?? genesis.committee;
      const validator = committee.indexOf(holder.address);
      if (validator === null) return { validator: 0, key: holder.first };
      return { validator, key: holder.keyOf(committee.validator(validator).publicKey) };
    };
    return {
      node,
      get validator() {
        return placeAt(Number.POSITIVE_INFINITY).validator;
      },
      committee: genesis.committee,
      chain,
      genesis,
      ledger: () => replicaOf(node)?.ledger ?? null,
      random: random.fork(`node ${node}`),
      others: Array.from({ length: nodesOf(scenario) }, (_, other) => other).filter((other) => other !== node),
      vote: (content) => {
        const { validator, key } = placeAt(content.height);
        return { ...content, validator, signature: key.signNow(voteMessage(chain, content), VOTE_CONTEXT) };
      },
      proposal: (content) => {
        const { validator, key } = placeAt(content.height);
        return { ...content, proposer: validator, signature: key.signNow(proposalMessage(chain, content), PROPOSAL_CONTEXT) };
      },
      signFor: (message, context) => holder.signNow(message, context),
      inject: (to, message) => network().inject(node, to, encodeMessage(message)),
      injectBytes: (to, bytes) => network().inject(node, to, bytes),
      acted: () => tally.add('byzantineAct'),
    };
  }

  #repeat(act: NonNullable<Actor['act']>): void {
    this.#dependencies.scheduler.schedule(act.everyMs, () => {
      act.now();
      this.#repeat(act);
    });
  }

  #read(bytes: Uint8Array): Message | null {
    const known = this.#messages.get(bytes);
    if (known !== undefined) return known;
    const decoded = decodeMessage(bytes);
    const message = decoded.ok ? decoded.value : null;
    this.#messages.set(bytes, message);
    return message;
  }
}

function encodeAll<Content>(substitute: Substitute<Content>, encode: (content: Content) => Uint8Array): InterposedFrame[] {
  return substitute.map(({ content, delayMs = 0 }) => ({ bytes: encode(content), delayMs }));
}

function readAnswer(bytes: Uint8Array): AnyAnswer | null {
  const kind = ANSWER_KINDS[bytes[1] ?? ANSWER_KINDS.length];
  if (kind === undefined) return null;
  const decoded = decodeAnswer(kind, bytes);
  return decoded.ok ? ({ kind, answer: decoded.value as Answers[typeof kind] } as AnyAnswer) : null;
}
