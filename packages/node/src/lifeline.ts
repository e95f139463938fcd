import { Socket } from 'node:net';

/**
 * Watches the descriptor that `NACRE_LIFELINE` names, which whoever started this process holds open: it reaches its end when that one
 * ends, however it ends. Without the variable nothing is watched.
 *
 * @returns ends the watch
 */
export function watchLifeline(environment: Readonly<Record<string, string | undefined>>, gone: () => void): () => void {
  const descriptor = environment.NACRE_LIFELINE;
  if (descriptor === undefined) return () => undefined;
  const lifeline = new Socket({ fd: Number(descriptor) });
  let watching = true;
  lifeline.on('error', () => undefined);
  lifeline.on('close', () => {
    if (watching) gone();
  });
  lifeline.resume();
  lifeline.unref();
  return () => {
    watching = false;
    lifeline.destroy();
  };
}
