import { toHex } from '@nacre/base';
import type { Reached, SourceCoverage } from './coverage.ts';
import { Mutator } from './mutator.ts';

/** Inputs between two looks at the coverage, each of which costs as much as many inputs; doubled while there is nothing to see. */
const BATCH_MIN = 64;
const BATCH_MAX = 4096;
/** Inputs that are kept to be mutated. Beyond: new ones replace old ones at random. */
const CORPUS_MAX = 512;
/** Longest input, in bytes. What is bound by more is refused for its length long before. */
const INPUT_BYTES_MAX = 16 * 1024;

export interface FuzzTarget {
  readonly name: string;
  /** Inputs to start from; the accepted ones reach deepest. */
  readonly seeds: readonly Uint8Array[];
  /** @returns whether the input was accepted. What it throws is a finding. */
  readonly run: (input: Uint8Array) => boolean | Promise<boolean>;
}

export interface Finding {
  readonly input: string;
  readonly error: unknown;
}

export interface FuzzResult {
  readonly target: string;
  readonly inputs: number;
  readonly accepted: number;
  /** Inputs kept, seeds included. */
  readonly corpus: number;
  readonly finding: Finding | null;
}

export interface FuzzOptions {
  readonly seed: number;
  /** Undefined: mutations of the seeds alone. */
  readonly coverage?: SourceCoverage;
  /** Asked between two batches, with the number of inputs so far. */
  readonly isOver: (inputs: number) => boolean;
}

/** Runs mutated inputs until it is over or one of them is a finding; those that reach new code are mutated further. */
export async function fuzz(target: FuzzTarget, { seed, coverage, isOver }: FuzzOptions): Promise<FuzzResult> {
  const mutator = new Mutator({ seed, bytesMax: INPUT_BYTES_MAX });
  const corpus = target.seeds.length > 0 ? [...target.seeds] : [new Uint8Array(0)];
  let inputs = 0;
  let accepted = 0;
  let finding: Finding | null = null;
  const attempt = async (input: Uint8Array): Promise<void> => {
    inputs++;
    try {
      // A target may write into its input by mistake; the copy keeps the corpus, and what is reported, as it was.
      if (await target.run(Uint8Array.from(input))) accepted++;
    } catch (error) {
      finding ??= { input: toHex(input), error };
    }
  };
  const keep = (input: Uint8Array): void => {
    if (corpus.length < CORPUS_MAX) corpus.push(input);
    else corpus[mutator.below(CORPUS_MAX)] = input;
  };
  const runAll = async (batch: readonly Uint8Array[]): Promise<readonly Reached[]> => {
    for (const input of batch) {
      if (finding !== null) return [];
      await attempt(input);
    }
    return coverage?.take() ?? [];
  };
  /** Runs them again by halves, until it is known which of them reach what nothing has reached. */
  const keepFresh = async (batch: readonly Uint8Array[]): Promise<void> => {
    const fresh = await runAll(batch);
    const [only] = batch;
    if (fresh.length === 0 || only === undefined) return;
    if (batch.length === 1) {
      coverage?.add(fresh);
      return keep(only);
    }
    const half = batch.length >> 1;
    await keepFresh(batch.slice(0, half));
    await keepFresh(batch.slice(half));
  };
  const draw = () => (mutator.below(50) === 0 ? mutator.bytes(mutator.below(200)) : mutator.mutate(corpus));
  const reached = await runAll([...corpus]);
  coverage?.add(reached);
  for (let size = BATCH_MIN; finding === null && !isOver(inputs); ) {
    const batch = Array.from({ length: size }, draw);
    const fresh = await runAll(batch);
    if (fresh.length > 0) await keepFresh(batch);
    size = fresh.length > 0 ? BATCH_MIN : Math.min(2 * size, BATCH_MAX);
  }
  return { target: target.name, inputs, accepted, corpus: corpus.length, finding };
}
