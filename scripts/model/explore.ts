import { randomBytes } from 'node:crypto';
import { runQuint } from './quint.ts';

/** Steps of one way. By then most have come to the last of the model's four rounds. */
const STEPS_MAX = 28;

/** What is counted in random ways, whether they must meet it or seldom do. */
const WITNESSES = [
  'twoDecide',
  'laterRoundDecides',
  'lockIsProposedAgain',
  'proofIsFollowed',
  'lockRefuses',
  'roundIsJumped',
  'offenceIsSeen',
  'lockSurvivesRestart',
];

/** What at least one way in ten meets: a search that never does has shown nothing. */
const FREQUENT = ['twoDecide', 'offenceIsSeen', 'lockSurvivesRestart'];

export interface Instance {
  /** Module of `model/instances.qnt`. */
  readonly name: string;
  /** Must be met. */
  readonly witnesses: readonly string[];
  /** The invariant that must be found broken; undefined: all of them hold. */
  readonly breaks?: string;
}

export const instances: readonly Instance[] = [
  { name: 'four', witnesses: [...FREQUENT, 'proofIsFollowed', 'lockIsProposedAgain'] },
  { name: 'five', witnesses: FREQUENT },
  { name: 'tooMany', witnesses: [], breaks: 'agreement' },
  { name: 'quorumAtOneHalf', witnesses: [], breaks: 'agreement' },
  { name: 'lockIgnored', witnesses: [], breaks: 'lockDiscipline' },
  { name: 'unlockWithoutProof', witnesses: [], breaks: 'lockDiscipline' },
  { name: 'journalForgotten', witnesses: [], breaks: 'noDoubleVote' },
];

export interface Exploration {
  /** Ways that were tried, the one of the violation included. */
  readonly traces: number;
  readonly seed: string;
  /** In how many ways each witness was met. */
  readonly witnessed: ReadonlyMap<string, number>;
  /** What Quint wrote about it; null: none. */
  readonly violation: string | null;
}

/** @throws {Error} if Quint did not finish its search */
export async function explore(
  name: string,
  { samples, invariant, seed }: { readonly samples: number; readonly invariant: string; readonly seed: string | undefined },
): Promise<Exploration> {
  const used = seed ?? `0x${randomBytes(6).toString('hex')}`;
  const { code, output } = await runQuint([
    'run',
    'instances.qnt',
    `--main=${name}`,
    `--max-samples=${samples}`,
    `--max-steps=${STEPS_MAX}`,
    `--invariant=${invariant}`,
    `--seed=${used}`,
    '--verbosity=2',
    '--witnesses',
    ...WITNESSES,
  ]);
  const isViolated = output.includes('[violation]');
  const explored = /out of (\d+) explored/.exec(output)?.[1];
  if (explored === undefined || (code !== 0 && !isViolated)) throw new Error(`Quint has not finished (exit code ${code}):\n${output}`);
  const witnessed = [...output.matchAll(/^(\w+) was witnessed in (\d+)/gm)].map(
    ([, witness = '', count]) => [witness, Number(count)] as const,
  );
  return { traces: Number(explored), seed: used, witnessed: new Map(witnessed), violation: isViolated ? output : null };
}
