import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { RunReport } from './judge.ts';
import type { WorkerRequest } from './worker.ts';

/** One worker, replaced by a new one when a run takes too long or takes the process down. */
export class WorkerProcess {
  readonly #root: string;
  #child: ChildProcess | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Runs one request; one at a time.
   *
   * @returns what the run did, or as a text why there is no report
   */
  async run(request: WorkerRequest, timeoutMs: number): Promise<RunReport | string> {
    this.#child ??= this.#start();
    const child = this.#child;
    const { promise, resolve } = Promise.withResolvers<RunReport | string>();
    const timer = setTimeout(() => resolve(`no answer within ${Math.round(timeoutMs / 1000)} s`), timeoutMs);
    const exited = (code: number | null, signal: string | null): void => resolve(`the process ended (${signal ?? `code ${code}`})`);
    child.once('message', resolve as (report: unknown) => void);
    child.once('exit', exited);
    child.send(request);
    const answer = await promise;
    clearTimeout(timer);
    child.off('exit', exited);
    if (typeof answer === 'string') this.stop();
    return answer;
  }

  stop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #start(): ChildProcess {
    // A test of this runner runs under vitest itself, whose variables must not reach the inner one.
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));
    return fork(join(import.meta.dirname, 'worker.ts'), {
      cwd: this.#root,
      env: { ...environment, NO_COLOR: '1', NODE_ENV: 'test' },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
  }
}
