import type { Libp2pTransport } from '@nacre/network';
import { Counter, type Registry } from 'prom-client';

type Counters = ReturnType<Libp2pTransport['counters']>;
type Total = { [Name in keyof Counters]: Counters[Name] extends number ? Name : never }[keyof Counters];

const TOTALS: readonly (readonly [counter: Total, name: string, help: string])[] = [
  ['admitted', 'p2p_admitted_total', 'Connections admitted'],
  ['dials', 'p2p_dials_total', 'Connections tried'],
  ['dialFailures', 'p2p_dial_failures_total', 'Connections tried that failed'],
  ['framesIn', 'p2p_frames_received_total', 'Frames received on lanes'],
  ['framesOut', 'p2p_frames_sent_total', 'Frames sent on lanes'],
  ['framesDropped', 'p2p_frames_dropped_total', 'Frames that left a full queue unsent'],
  ['bytesIn', 'p2p_receive_bytes_total', 'Bytes received from all peers'],
  ['bytesOut', 'p2p_send_bytes_total', 'Bytes sent to all peers'],
  ['requestsAnswered', 'p2p_requests_answered_total', 'Requests of peers that got an answer'],
  ['requestsRefused', 'p2p_requests_refused_total', 'Requests of peers that got none, by a bound or a rule'],
  ['requestsFailed', 'p2p_requests_failed_total', 'Own requests without an answer'],
  ['offences', 'p2p_offences_total', 'Broken rules that cost a peer its score'],
  ['bans', 'p2p_bans_total', 'Peers banned for their score'],
  ['throttled', 'p2p_throttled_total', 'Times a peer was not read for a while because it sent too fast'],
  ['gossipPublished', 'p2p_gossip_published_total', 'Frames published on the topic'],
  ['gossipDelivered', 'p2p_gossip_delivered_total', 'Frames that came by the topic'],
  ['gossipRejected', 'p2p_gossip_rejected_total', 'Frames of the topic that did not hold'],
];

/** Adds what the transport counts. */
export function addTransportMetrics(registry: Registry, read: () => Counters): void {
  const registers = [registry];
  for (const [counter, name, help] of TOTALS) {
    new Counter({
      name: `nacre_${name}`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read()[counter]);
      },
    });
  }
  for (const [field, name, help] of [
    ['refused', 'p2p_connections_refused_total', 'Connections refused at admission, by reason'],
    ['disconnected', 'p2p_disconnected_total', 'Admitted connections that ended, by reason'],
  ] as const) {
    new Counter({
      name: `nacre_${name}`,
      help,
      labelNames: ['reason'],
      registers,
      collect() {
        this.reset();
        for (const [reason, count] of Object.entries(read()[field])) this.inc({ reason }, count);
      },
    });
  }
}
