import type { HealthAnswer } from '@nacre/client';

/** How far a node has caught up, in words. */
export function describeSync({ state, fromHeight, height, toHeight, blocksPerSecond, remainingMs, reason }: HealthAnswer['sync']): string {
  const rate = blocksPerSecond === null ? '' : `, ${Math.round(blocksPerSecond)} blocks/s`;
  switch (state) {
    case 'idle':
      return 'not needed since the start';
    case 'catching-up':
      return `catching up: ${height} of ${toHeight}${rate}${remainingMs === null ? '' : `, ${Math.ceil(remainingMs / 1000)} s left`}`;
    case 'done':
      return `caught up from ${fromHeight} to ${toHeight}${rate}`;
    case 'failed':
      return `stopped at ${height} of ${toHeight} (${reason}), tried again as soon as a peer has more`;
  }
}
