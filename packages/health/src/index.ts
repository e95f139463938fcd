export {
  type DetectorOptions,
  LOCAL_DETECTION,
  PartitionDetector,
  type PartitionEvent,
  type PartitionRecord,
} from './partition-detector.ts';
export type { Member, Side } from './sides.ts';
