import { watchLifeline } from './lifeline.ts';

/** Signals this close together are one wish: a terminal signals the whole group, and launchers pass on what they get. */
const SAME_SIGNAL_MS = 1_000;

interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly terminal: (line: string) => void;
}

/** Everything that can tell this process to stop. */
export function listenForStop({ environment, terminal }: Surroundings): { readonly stop: Promise<string>; readonly close: () => void } {
  const { promise: stop, resolve } = Promise.withResolvers<string>();
  let firstAtMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (firstAtMs !== null && performance.now() - firstAtMs > SAME_SIGNAL_MS) {
      terminal(`second ${signal}: ending now`);
      process.exit(1);
    }
    firstAtMs ??= performance.now();
    resolve(signal);
  };
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, onSignal);
  const endWatch = watchLifeline(environment, () => resolve('whoever started this process is gone'));
  return {
    stop,
    close: () => {
      for (const signal of signals) process.off(signal, onSignal);
      endWatch();
    },
  };
}
