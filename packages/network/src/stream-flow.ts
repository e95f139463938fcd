import type { Stream } from '@libp2p/interface';
import type { Clock, Timer } from '@nacre/base';

/**
 * Stops reading a stream for a while: its window closes, and what the peer sends on stays in the peer's own memory.
 *
 * @returns null if it is not being read anyway
 */
export function pauseReading(stream: Stream, ms: number, clock: Clock, onResumed: () => void): Timer | null {
  if (stream.readStatus !== 'readable') return null;
  stream.pause();
  return clock.schedule(ms, () => {
    onResumed();
    // Opening the window again writes to the connection, which throws while that is being closed.
    attempt(() => {
      if (stream.readStatus === 'paused') stream.resume();
    });
  });
}

/**
 * Writes to a stream that looked writable: a connection that is being closed underneath throws all the same.
 *
 * @returns whether the stream took it
 */
export function attempt(write: () => void): boolean {
  try {
    write();
    return true;
  } catch {
    return false;
  }
}
