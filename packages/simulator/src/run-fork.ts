import { toHex } from '@nacre/base';
import { certificateVotes, equivocationOf, type Proposal, type Vote, verifyEquivocation } from '@nacre/consensus';
import { decodeMessage } from '@nacre/replica';
import type { Cluster } from './cluster.ts';
import { runScenario } from './run-seed.ts';
import { drawScenario } from './scenarios/draw-scenario.ts';
import { testKit } from './signature-kit.ts';

export interface ForkReport {
  /** What is wrong; null: the fork came about, and what was signed names those who made it and nobody else. */
  readonly problem: string | null;
  readonly heights: number;
  /** Positions in the committee. */
  readonly guilty: readonly number[];
  readonly guiltyWeight: number;
  readonly totalWeight: number;
}

/**
 * What honest nodes have received, as far as it is signed: the first message of each key at each place, and every one that
 * contradicts it. Two nodes on different sides of a fork hold the proof only together.
 */
class Transcripts {
  readonly #first = new Map<string, Vote | Proposal>();
  readonly offences: { readonly first: Vote | Proposal; readonly second: Vote | Proposal }[] = [];

  take(bytes: Uint8Array): void {
    const decoded = decodeMessage(bytes);
    if (!decoded.ok) return;
    const message = decoded.value;
    if (message.kind === 'proposal') for (const signed of [message.proposal, ...message.justification]) this.#keep(signed);
    if (message.kind === 'votes') for (const vote of message.votes) this.#keep(vote);
    if (message.kind === 'decided') for (const vote of certificateVotes(message.certificate)) this.#keep(vote);
  }

  #keep(signed: Vote | Proposal): void {
    const [who, kind] = 'kind' in signed ? [signed.validator, signed.kind] : [signed.proposer, 'proposal'];
    const place = `${who} ${kind} ${signed.height} ${signed.round}`;
    const first = this.#first.get(place);
    if (first === undefined) this.#first.set(place, signed);
    else this.offences.push({ first, second: signed });
  }
}

/** Runs a seed in which a third of the weight or more is Byzantine, and looks for the fork and for the evidence. */
export async function checkFork(seed: number, validators: number | null): Promise<ForkReport> {
  const scenario = drawScenario({ seed, name: 'fork', ...(validators === null ? {} : { validators }) });
  const transcripts = new Transcripts();
  const clusters: Cluster[] = [];
  const { violations, heights } = await runScenario(
    { ...scenario, realSignatures: false },
    {
      onCluster: (cluster) => clusters.push(cluster),
      onTrace: ({ kind, node, bytes }) => {
        if (kind === 'deliver' && bytes !== undefined && clusters[0]?.byzantine.has(node) === false) transcripts.take(bytes);
      },
    },
  );
  const { genesis, byzantine, validators: holders } = clusters[0] as Cluster;
  const { committee, context } = genesis;
  const guilty = new Set<number>();
  for (const { first, second } of transcripts.offences) {
    const equivocation = 'kind' in first === 'kind' in second ? equivocationOf(first, second) : null;
    if (equivocation === null) continue;
    const verified = await verifyEquivocation({
      committee,
      context,
      equivocation,
      verifier: testKit({ short: scenario.shortSignatures }).verifier,
    });
    if (verified.ok) guilty.add(equivocation.validator);
  }
  const isGuilty = (position: number): boolean =>
    byzantine.has(holders.findIndex(({ address }) => toHex(address) === toHex(committee.validator(position).address)));
  const guiltyWeight = committee.weightOf(guilty);
  const report = { heights, guilty: [...guilty].sort((a, b) => a - b), guiltyWeight, totalWeight: committee.totalWeight };
  if (!violations.some(({ code }) => code === 'AGREEMENT')) return { ...report, problem: 'no fork was found' };
  if (report.guilty.some((position) => !isGuilty(position))) return { ...report, problem: 'the evidence names an honest validator' };
  if (3 * guiltyWeight < committee.totalWeight) return { ...report, problem: `only weight ${guiltyWeight} is proven guilty` };
  return { ...report, problem: null };
}
