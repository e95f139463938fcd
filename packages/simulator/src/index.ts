export { checkSeed, type SeedOutcome } from './check-seed.ts';
export { type ClusterReplica, type OpenReplica, openReplica } from './cluster-replica.ts';
export { FAULT_KINDS, type FaultCounts, type FaultKind } from './fault-tally.ts';
export { statementsIn } from './frame-reader.ts';
export { SeededRandom } from './random.ts';
export { type RunOptions, type RunResult, runScenario } from './run-seed.ts';
export { drawScenario, type Scenario, type ScenarioOptions } from './scenario.ts';
export { type Statement, StatementChecker } from './statement-checker.ts';
export type { Violation, ViolationCode } from './violation.ts';
