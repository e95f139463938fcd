import type { OwnMessage } from './core-types.ts';

/** The message of the highest round, and in it of the last step. */
export function lastOf(messages: readonly OwnMessage[]): OwnMessage | null {
  let last: OwnMessage | null = null;
  for (const message of messages) if (last === null || isLater(message, last)) last = message;
  return last;
}

function isLater(a: OwnMessage, b: OwnMessage): boolean {
  return a.content.round > b.content.round || (a.content.round === b.content.round && rank(a) > rank(b));
}

function rank(message: OwnMessage): number {
  if (message.kind === 'proposal') return 0;
  return message.content.kind === 'prepare' ? 1 : 2;
}
