import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROGRAMS, processesOf, RunningTestnet, SETUP_TIMEOUT_MS, startProgram, until } from '../support/running-testnet.ts';

const NODES = [0, 1, 2, 3] as const;

describe('the process that holds a testnet', { timeout: SETUP_TIMEOUT_MS }, () => {
  let net: RunningTestnet;

  beforeAll(async () => {
    net = await RunningTestnet.prepare();
  }, SETUP_TIMEOUT_MS);
  afterAll(() => net.remove(), SETUP_TIMEOUT_MS);

  test('that does not answer is not taken for absent', async () => {
    await net.up('--no-feed');
    const [supervisor] = processesOf(net.directory).filter((pid) => !isNode(pid, net));
    process.kill(supervisor as number, 'SIGSTOP');
    try {
      await expect(net.up('--no-feed')).rejects.toThrow('ADMIN_UNREACHABLE');
    } finally {
      process.kill(supervisor as number, 'SIGCONT');
    }
    await net.command('down');
    await expect.poll(() => processesOf(net.directory)).toEqual([]);
  });

  test('that is killed leaves no process, not even a frozen one for long', async () => {
    await net.up('--no-feed');
    await net.command('pause', '2');
    const [supervisor] = processesOf(net.directory).filter((pid) => !isNode(pid, net));
    process.kill(supervisor as number, 'SIGKILL');
    await until('the other nodes have ended', async () => processesOf(net.directory).length <= 1);
    await net.command('down');
    await expect.poll(() => processesOf(net.directory)).toEqual([]);
  });

  test('in the foreground says that it is ready, and an interrupt stops everything', async () => {
    const up = startProgram([PROGRAMS.testnet, '--directory', net.directory, 'up', '--no-feed', '--base-port', String(net.basePort)]);
    await until('it says what to try', async () => up.output().includes('Try, in another terminal'));
    process.kill(up.pid, 'SIGINT');
    expect(await up.ended).toBe(0);
    await expect.poll(() => processesOf(net.directory)).toEqual([]);
  });
});

function isNode(pid: number, net: RunningTestnet): boolean {
  return NODES.some((index) => processesOf(join(net.directory, `node${index}`)).includes(pid));
}
