import { relative } from 'node:path';

interface Ratio {
  readonly total: number;
  readonly covered: number;
}

/** The report `json-summary`: by absolute path, and `total`. */
export type CoverageSummary = Readonly<Record<string, { readonly lines: Ratio; readonly branches: Ratio }>>;

/** Packages whose rules others rely on, and what part of their lines and of their branches must run in tests. */
const COVERED_PACKAGES: readonly string[] = ['crypto', 'consensus', 'ledger'];
const COVERAGE_MIN = 0.9;

export interface PackageCoverage {
  readonly package: string;
  readonly files: number;
  readonly lines: number;
  readonly branches: number;
  readonly enough: boolean;
}

/**
 * Which packages a run must cover, given the path filters of its command line: all, or those named as a whole.
 * A part of a package's tests cannot be expected to cover it.
 */
export function packagesToCover(filters: readonly string[]): string[] {
  return COVERED_PACKAGES.filter(
    (name) => filters.length === 0 || filters.some((filter) => filter.replace(/\/$/, '') === `packages/${name}`),
  );
}

/** Sums over all files of a package's `src`, those that no test loads included. */
export function packageCoverage(name: string, summary: CoverageSummary, root: string): PackageCoverage {
  const files = Object.entries(summary).filter(([path]) => relative(root, path).startsWith(`packages/${name}/src/`));
  const ratio = (kind: 'lines' | 'branches'): number => {
    const covered = files.reduce((sum, [, file]) => sum + file[kind].covered, 0);
    const total = files.reduce((sum, [, file]) => sum + file[kind].total, 0);
    return total === 0 ? 0 : covered / total;
  };
  const [lines, branches] = [ratio('lines'), ratio('branches')];
  return { package: name, files: files.length, lines, branches, enough: lines > COVERAGE_MIN && branches > COVERAGE_MIN };
}
