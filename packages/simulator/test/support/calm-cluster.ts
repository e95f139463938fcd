import { buildTransaction, NONCE_BYTES, type Operation, type Transaction } from '@nacre/ledger';
import { ChainChecker } from '../../src/chain-checker.ts';
import { Cluster, EPOCH_MS, type KeyHolder } from '../../src/cluster.ts';
import { openReplica } from '../../src/cluster-replica.ts';
import { TRUE_CLOCK } from '../../src/process-life.ts';
import { drawScenario } from '../../src/scenarios/draw-scenario.ts';
import { testKit } from '../../src/signature-kit.ts';
import { simLog } from '../../src/sim-log.ts';
import { StatementChecker } from '../../src/statement-checker.ts';
import type { ViolationCode } from '../../src/violation.ts';
import { Machine } from './machine.ts';

const VALIDITY_MS = 600_000;
const PATIENCE_MS = 20_000;

/** Four real replicas and followers without any fault, for telling one story step by step. */
export class CalmCluster {
  readonly machine = new Machine();
  readonly kit = testKit({ short: false });
  readonly cluster: Cluster;
  readonly violations: ViolationCode[] = [];
  readonly chain = new ChainChecker((code) => this.violations.push(code));

  constructor({ followers }: { readonly followers: number }) {
    const { random, scheduler, tally, trace } = this.machine;
    const nodes = 4 + followers;
    const scenario = {
      ...drawScenario({ seed: 1, name: 'crashes', validators: 4 }),
      followers,
      configuration: {},
      clocks: Array.from({ length: nodes }, () => TRUE_CLOCK),
    };
    const statements = new StatementChecker((code) => this.violations.push(code));
    this.cluster = new Cluster(
      { scenario, open: openReplica, kit: this.kit },
      {
        random,
        scheduler,
        tally,
        trace,
        statements,
        logOf: (node) => simLog(node, () => {}),
        penalized: () => {},
        report: (code) => this.violations.push(code),
      },
      {
        opened: ({ index }, { ledger }) => this.chain.stands(index, ledger.tip),
        decided: ({ index }, { height, blockHash, timeMs, statuses }, { ledger }) =>
          this.chain.decided(
            index,
            { height, blockHash, timeMs, stateRoot: ledger.tip.stateRoot },
            statuses.map(({ txId }) => txId),
          ),
        salvaged: () => {},
        failed: () => false,
      },
    );
  }

  async start(): Promise<void> {
    await this.machine.finish(this.cluster.prepare());
    for (const node of this.cluster.nodes) this.cluster.start(node);
    await this.until(() =>
      this.cluster.nodes.every(({ replica }) => replica !== null && replica.status().peers === this.cluster.nodes.length - 1),
    );
  }

  /** Lets time pass until the condition holds; throws if it does not within a while. */
  async until(condition: () => boolean): Promise<void> {
    const { scheduler } = this.machine;
    const end = await scheduler.run({ untilMs: scheduler.nowMs + PATIENCE_MS, until: condition, eventsMax: 10_000_000 });
    if (end.kind === 'failed') throw end.error;
    if (end.kind !== 'reached') throw new Error(`the condition does not hold after ${PATIENCE_MS} ms`);
  }

  async build({ address, signer }: KeyHolder, operation: Operation): Promise<Transaction> {
    const { random, scheduler } = this.machine;
    return buildTransaction({
      genesis: this.cluster.genesis,
      account: address,
      operations: [operation],
      validUntilMs: Math.floor(EPOCH_MS + scheduler.nowMs + VALIDITY_MS),
      nonce: random.bytes(NONCE_BYTES),
      signer,
    });
  }

  /** @returns `ok`, or the code of the refusal */
  async submit(node: number, { bytes }: Transaction): Promise<string> {
    const answer = this.cluster.nodes[node]?.submit(bytes);
    if (answer === undefined || answer === null) throw new Error(`node ${node} does not run`);
    const result = await this.machine.finish(answer);
    return result.ok ? 'ok' : result.error.code;
  }

  statuses({ txId }: Transaction): string[] {
    return this.cluster.nodes.map(({ replica }) => replica?.transactionStatus(txId).status ?? 'down');
  }

  /** Submits at node 0 and waits until all nodes that it reaches have committed. */
  async commit(holder: KeyHolder, operation: Operation, nodes: readonly number[]): Promise<void> {
    const transaction = await this.build(holder, operation);
    const answer = await this.submit(0, transaction);
    if (answer !== 'ok') throw new Error(answer);
    await this.until(() => nodes.every((node) => this.statuses(transaction)[node] === 'committed'));
  }
}
