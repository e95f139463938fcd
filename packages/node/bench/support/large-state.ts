/** Of the chain whose state is large: few, because each is only there to hold the state's root. */
export const BLOCKS = 12;
/** Block after which the snapshot is made. */
export const SNAPSHOT_HEIGHT = 10;

/** What it took to make a snapshot. */
export interface Made {
  readonly seconds: number;
  /** Processor time, all threads together. */
  readonly cpuSeconds: number;
  readonly bytes: number;
  readonly parts: number;
  readonly peakBytes: number;
}

/** What it took to take one up, from the moment on at which its first part was asked for. */
export interface Joined {
  /** Until the last part was here, verified and stored. */
  readonly fetchedSeconds: number;
  /** Until it stood in place of the state before. */
  readonly adoptedSeconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}
