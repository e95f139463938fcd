import { assert } from '@nacre/base';
import { z } from 'zod';
import type { NodeBackend } from '../../backend.ts';
import { CURSOR_LENGTH_MAX, openFeed } from '../feeds.ts';
import { defineMethod, type Method } from '../method.ts';
import type { RecentBlocks } from '../recent-blocks.ts';
import { nameParam } from '../schemas.ts';

const subscribeParams = z
  .strictObject({
    topic: z.enum(['blocks', 'transactions', 'records', 'health']),
    service: nameParam.optional().describe('For the topic records, and only there'),
    cursor: z.string().max(CURSOR_LENGTH_MAX).optional().describe('Where to resume; without it only what comes next is told'),
  })
  .refine(({ topic, service }) => (topic === 'records') === (service !== undefined), 'the topic records, and no other, has a service');

/** Only on the WebSocket. */
export function subscriptionMethods(backend: NodeBackend, blocks: RecentBlocks): Method[] {
  return [
    defineMethod({
      name: 'subscribe',
      summary: 'Begins to notify of a topic: "event" with data and cursor; "missed" with from and to where the reader was too slow.',
      params: subscribeParams,
      result: z.strictObject({ subscription: z.string(), cursor: z.string().describe('Of the first event to come') }),
      errors: ['TOO_MANY_SUBSCRIPTIONS', 'CURSOR_INVALID'],
      webSocketOnly: true,
      handle: ({ topic, service, cursor }, { subscriptions }) => {
        assert(subscriptions !== null, 'the method is reachable on a WebSocket only');
        return subscriptions.add(topic, () => openFeed({ topic, service, cursor }, { backend, blocks }));
      },
    }),
    defineMethod({
      name: 'unsubscribe',
      summary: 'Ends a subscription of this WebSocket.',
      params: z.strictObject({ subscription: z.string() }),
      result: z.literal(true),
      errors: ['SUBSCRIPTION_UNKNOWN'],
      webSocketOnly: true,
      handle: ({ subscription }, { subscriptions }) => {
        subscriptions?.remove(subscription);
        return true as const;
      },
    }),
  ];
}
