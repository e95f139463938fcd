import { readFile } from 'node:fs/promises';

/** A value of Quint: integers, strings, booleans, sets and lists as arrays, maps as arrays of pairs, records, tagged unions. */
type ModelValue = number | string | boolean | readonly ModelValue[] | { readonly [field: string]: ModelValue };

export type Kind = 'prepare' | 'commit';

export interface ModelVote {
  readonly from: number;
  readonly round: number;
  readonly kind: Kind;
  readonly block: string;
}

export interface ModelProposal {
  readonly round: number;
  readonly block: string;
  readonly validRound: number;
}

export interface ModelTimer {
  readonly kind: 'propose' | Kind;
  readonly round: number;
}

export type ModelEvent =
  | { readonly tag: 'Work' }
  | { readonly tag: 'Restart' }
  | { readonly tag: 'HearVote'; readonly value: ModelVote }
  | { readonly tag: 'HearProposal'; readonly value: { readonly proposal: ModelProposal; readonly acceptable: boolean } }
  | { readonly tag: 'HearBlock'; readonly value: string }
  | { readonly tag: 'Built' | 'HearCertificate'; readonly value: { readonly round: number; readonly block: string } }
  | { readonly tag: 'Expire'; readonly value: ModelTimer };

/** A validator of `model/consensus.qnt`: the fields that can be compared with a core. */
export interface ModelValidator {
  readonly working: boolean;
  readonly round: number;
  readonly step: 'propose' | Kind;
  readonly lockedRound: number;
  readonly locked: string;
  readonly validRound: number;
  readonly valid: string;
  readonly votes: readonly (readonly [readonly [Kind, number], readonly (readonly [number, string])[]])[];
  readonly proposals: readonly (readonly [number, { readonly block: string; readonly validRound: number; readonly backers: number[] }])[];
  readonly decision: string;
  readonly halted: boolean;
  readonly timers: readonly ModelTimer[];
  readonly signedVotes: readonly ModelVote[];
  readonly signedProposals: readonly ModelProposal[];
  readonly accused: readonly (readonly [number, string, number])[];
  readonly acted: readonly string[];
}

export interface ModelState {
  /** What led here from the state before: to whom, what. */
  readonly events: readonly (readonly [number, ModelEvent])[];
  readonly validators: ReadonlyMap<number, ModelValidator>;
}

/**
 * Reads a trace in the Informal Trace Format as Quint writes it for `model/consensus.qnt`.
 *
 * @see https://apalache-mc.org/docs/adr/015adr-trace.html
 */
export async function readTrace(path: string): Promise<ModelState[]> {
  const { states } = JSON.parse(await readFile(path, 'utf8')) as { readonly states: readonly Record<string, unknown>[] };
  return states.map((state) => {
    const variable = (name: string): ModelValue => {
      // Quint prefixes a variable with the modules that lead to it.
      const key = Object.keys(state).find((candidate) => candidate.split('::').at(-1) === name);
      if (key === undefined) throw new Error(`${path} has no variable ${name}`);
      return plain(state[key]);
    };
    return {
      events: variable('events') as unknown as ModelState['events'],
      validators: new Map(variable('validators') as unknown as [number, ModelValidator][]),
    };
  });
}

function plain(value: unknown): ModelValue {
  if (typeof value !== 'object' || value === null) return value as ModelValue;
  if (Array.isArray(value)) return value.map(plain);
  if ('#bigint' in value) return Number(value['#bigint']);
  for (const collection of ['#set', '#tup', '#map'] as const) {
    if (collection in value) return plain((value as Record<string, unknown>)[collection]);
  }
  return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, plain(inner)]));
}
