import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from './lab.ts';
import type { LabNode } from './lab-node.ts';
import { endOf, type Fault, type Schedule } from './schedule.ts';

/** What was done, with the time since the first write, in ms. */
export interface Deed {
  readonly atMs: number;
  readonly what: string;
}

interface Act {
  readonly atMs: number;
  readonly run: () => Promise<void> | void;
}

/** Carries out a schedule: each fault begins and ends at its time, or later where a machine is busy; at the end all have ended. */
export async function directFaults({ faults, faultsMs }: Schedule, lab: Lab, note: (deed: Deed) => void): Promise<void> {
  const startedMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedMs;
  const say = (what: string): void => note({ atMs: Math.round(elapsedMs()), what });
  const acts = faults.flatMap((fault): Act[] => [
    { atMs: fault.atMs, run: () => begin(fault, lab, say) },
    { atMs: endOf(fault), run: () => end(fault, lab, say) },
  ]);
  acts.sort((a, b) => a.atMs - b.atMs);
  for (const { atMs, run } of acts) {
    await sleep(Math.max(0, atMs - elapsedMs()));
    await run();
  }
  await sleep(Math.max(0, faultsMs - elapsedMs()));
}

async function begin(fault: Fault, lab: Lab, say: (what: string) => void): Promise<void> {
  if (fault.kind === 'partition') {
    say(`partition ${fault.groups.map((group) => group.join(',')).join(' | ')}`);
    return lab.network.split(fault.groups);
  }
  say(`${fault.kind} ${fault.nodes.join(',')}${fault.kind === 'clock' ? ` by ${fault.offsetMs} ms` : ''}`);
  const nodes = fault.nodes.map((index) => lab.nodes[index] as LabNode);
  switch (fault.kind) {
    case 'kill':
      await Promise.all(nodes.map((node) => node.kill()));
      return;
    case 'restart':
      await Promise.all(nodes.map((node) => node.stop()));
      return;
    case 'pause':
      for (const node of nodes) node.pause();
      return;
    case 'clock':
      for (const node of nodes) node.setClock(fault.offsetMs);
      return;
    case 'full-disk':
      for (const node of nodes) node.fillDisk(fault.leftBytes);
      return;
    case 'damage':
      for (const node of nodes) {
        await node.kill();
        say(`damage ${node.index}: ${node.damage(fault) ?? 'nothing there'}`);
      }
  }
}

async function end(fault: Fault, lab: Lab, say: (what: string) => void): Promise<void> {
  if (fault.kind === 'partition') {
    say('partition ends');
    return lab.network.join();
  }
  say(`${fault.kind} ${fault.nodes.join(',')} ends`);
  for (const node of fault.nodes.map((index) => lab.nodes[index] as LabNode)) {
    if (fault.kind === 'pause') node.resume();
    else if (fault.kind === 'clock') node.setClock(0);
    else {
      if (fault.kind === 'full-disk') node.freeDisk();
      node.start();
    }
  }
}
