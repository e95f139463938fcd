import { availableParallelism } from 'node:os';
import { REPEATED_EVERY, type SeedOutcome } from './check-seed.ts';
import type { SimulateOptions } from './command-line.ts';
import { CHUNK_SEEDS, ResultsFile } from './results-file.ts';
import { runPool, type SeedJob } from './seed-pool.ts';
import type { Summary } from './summary.ts';
import { addOutcome, type TotalsByScenario } from './totals.ts';
import type { Variant } from './variants/variants.ts';

interface Chunk {
  readonly first: number;
  readonly seeds: number;
  readonly totals: TotalsByScenario;
  left: number;
}

/** Runs a range of seeds on all cores, chunk by chunk, and keeps what each finished chunk came to. */
export async function runCampaign(
  options: SimulateOptions,
  {
    summary,
    variant,
    done,
  }: { readonly summary: Summary; readonly variant: Variant | null; readonly done: (outcome: SeedOutcome) => void },
): Promise<void> {
  const { scenario, validators, resume, results } = options;
  const kind = { scenario, validators };
  const file = results === null ? null : new ResultsFile(results);
  if (resume && file !== null) summary.addFormer(file.former(kind));
  const chunks = chunksOf(options).filter(({ first, seeds }) => !(resume && file?.has(kind, first, seeds)));
  const chunkOf = (seed: number): Chunk => chunks.find(({ first, seeds }) => seed >= first && seed < first + seeds) as Chunk;
  await runPool(jobsOf(chunks, options), {
    threads: Math.max(1, Math.min(availableParallelism(), options.seeds)),
    variant,
    take: (outcome) => {
      summary.add(outcome);
      const chunk = chunkOf(outcome.seed);
      addOutcome(chunk.totals, outcome);
      chunk.left--;
      if (chunk.left === 0) file?.append(kind, chunk.first, chunk.seeds, chunk.totals);
      done(outcome);
      return true;
    },
  });
}

function chunksOf({ start, seeds }: SimulateOptions): Chunk[] {
  const chunks: Chunk[] = [];
  for (let first = start; first < start + seeds; first += CHUNK_SEEDS) {
    const count = Math.min(CHUNK_SEEDS, start + seeds - first);
    chunks.push({ first, seeds: count, totals: new Map(), left: count });
  }
  return chunks;
}

function* jobsOf(chunks: readonly Chunk[], { scenario, validators }: SimulateOptions): Generator<SeedJob> {
  for (const { first, seeds } of chunks) {
    for (let seed = first; seed < first + seeds; seed++) {
      yield {
        seed,
        repeat: seed % REPEATED_EVERY === 0,
        ...(scenario === null ? {} : { name: scenario }),
        ...(validators === null ? {} : { validators }),
      };
    }
  }
}
