import type { HealthAnswer } from '@nacre/client';
import type { Command } from 'commander';
import { describeSync } from '../describe-sync.ts';
import type { CommandContext } from '../program.ts';

/** `health`: who reaches whom, as a node sees it. */
export function addHealthCommand(program: Command, context: CommandContext): void {
  program
    .command('health')
    .description('whom a node reaches, the sides of a partition, and how far it has caught up')
    .action(async () => {
      const health = (await context.call('node_health')) as HealthAnswer;
      context.print(health, () => describeHealth(health));
    });
}

function describeHealth(health: HealthAnswer): string[] {
  const { networkState, height, totalWeight, neededWeight, nodes, sides, partitions, sync } = health;
  const nameOf = (address: string): string => nodes.find((node) => node.address === address)?.name ?? address;
  const names = (addresses: readonly string[]): string =>
    addresses
      .map(nameOf)
      .sort((one, other) => one.localeCompare(other, 'en', { numeric: true }))
      .join(', ');
  const { state, reason } = networkState;
  const missing = nodes.filter(({ heard }) => !heard).map(({ address }) => address);
  const past = partitions.filter(({ untilMs }) => untilMs !== null);
  const present = partitions.find(({ untilMs }) => untilMs === null);
  return [
    `state       ${state}${reason === null ? '' : `: ${reason}`}`,
    `height      ${height}`,
    `weight      ${neededWeight} of ${totalWeight} can decide`,
    `heard       ${nodes.length - missing.length} of ${nodes.length} validators${missing.length === 0 ? '' : `; not ${names(missing)}`}`,
    ...sides.map(({ validators, weight, mayDecide, own, reached }, index) => {
      const notes = [...(own ? ['this node'] : []), ...(reached ? [] : ['not reached']), mayDecide ? 'may decide' : 'cannot decide'];
      return `side ${index + 1}      weight ${weight}: ${names(validators)} (${notes.join(', ')})`;
    }),
    ...(present === undefined ? [] : [`partitioned since ${new Date(present.sinceMs).toISOString()}`]),
    ...past.map(({ sinceMs, untilMs, sides: then }) => {
      const ended = new Date(untilMs as number).toISOString();
      return `earlier     ${new Date(sinceMs).toISOString()} to ${ended}: ${then.map(({ validators }) => names(validators)).join(' | ')}`;
    }),
    `sync        ${describeSync(sync)}`,
  ];
}
