import { Gauge, type Registry } from 'prom-client';
import type { StoreHealth } from './backend.ts';

const PARTS = ['state', 'blocks', 'checksums'] as const;

/** What is known of the store's health, and how far the scrub has come. */
export function addStoreMetrics(registry: Registry, status: () => StoreHealth): void {
  const registers = [registry];
  const add = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name: `nacre_store_${name}`,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  add('scrub_passes', 'Times that the whole store was gone through since the start', () => status().passes);
  add('scrub_bytes', 'Bytes read by the scrub since the start', () => status().bytes);
  add('damages_found', 'Damaged values found since the start, by the scrub or by any read', () => status().found);
  add('damages_mended', 'Damaged values fetched from peers, verified and put back since the start', () => status().mended);
  add('damages_waiting', 'Damaged values found and not mended yet', () => status().waiting);
  add('set_aside', 'Damaged stores that lie beside this one, kept for whoever wants to know why', () => status().setAside);
  new Gauge({
    name: 'nacre_store_scrub_part',
    help: 'What the scrub is at; all 0 while it rests',
    labelNames: ['part'],
    registers,
    collect() {
      for (const part of PARTS) this.set({ part }, status().part === part ? 1 : 0);
    },
  });
}
