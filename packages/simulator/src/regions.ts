export const REGIONS = ['dallas', 'washington', 'frankfurt', 'london', 'tokyo', 'sydney', 'sao-paulo'] as const;
export type Region = (typeof REGIONS)[number];

/**
 * Average round trips between regions of a public cloud in ms, above the diagonal; within a region, between its zones.
 *
 * @see IBM Cloud Docs, VPC, "Network latency dashboards", inter-region latency of 27 Jul to 25 Aug 2024
 */
const ROUND_TRIPS_MS: readonly (readonly number[])[] = [
  /* dallas     */ [2, 31, 123, 113, 143, 186, 146],
  /* washington */ [0, 2, 91, 75, 164, 214, 118],
  /* frankfurt  */ [0, 0, 2, 13, 233, 250, 198],
  /* london     */ [0, 0, 0, 2, 243, 261, 188],
  /* tokyo      */ [0, 0, 0, 0, 2, 115, 284],
  /* sydney     */ [0, 0, 0, 0, 0, 2, 328],
  /* sao-paulo  */ [0, 0, 0, 0, 0, 0, 2],
];

/** Time from one region to another in ms: half of the round trip. */
export function distanceMs(from: Region, to: Region): number {
  const [low, high] = [REGIONS.indexOf(from), REGIONS.indexOf(to)].sort((a, b) => a - b) as [number, number];
  return (ROUND_TRIPS_MS[low]?.[high] as number) / 2;
}
