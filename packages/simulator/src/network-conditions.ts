/** How the simulated network behaves; replaced as a whole when faults begin or end. Chances are per frame. */
export interface NetworkConditions {
  /** Time a frame takes at least, in virtual ms. */
  readonly delayMinMs: number;
  /** Mean of what comes on top, exponentially distributed. */
  readonly delayMeanMs: number;
  /** Share of frames that take `spikeMs` instead. */
  readonly spikeChance: number;
  readonly spikeMs: readonly [number, number];
  /** Share of frames, requests and answers that never arrive. */
  readonly lossChance: number;
  /** Share that arrives twice. */
  readonly duplicateChance: number;
  /** Share that overtakes or is overtaken: it does not keep the order of its connection. */
  readonly reorderChance: number;
  /** Mean time between cuts of a random connection, in virtual ms; 0: none. */
  readonly cutMeanMs: number;
}

/** A good local network, to which every run returns at its end. */
export const CALM_CONDITIONS: NetworkConditions = {
  delayMinMs: 0.5,
  delayMeanMs: 1.5,
  spikeChance: 0,
  spikeMs: [0, 0],
  lossChance: 0,
  duplicateChance: 0,
  reorderChance: 0,
  cutMeanMs: 0,
};
