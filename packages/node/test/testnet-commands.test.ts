import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readBannedPeers } from '../src/banned-peers.ts';
import { EXIT } from '../src/cli/exit-status.ts';
import { homePaths } from '../src/home.ts';
import { parseSides } from '../src/testnet/partition.ts';
import { openOrCreateTestnet, openTestnet } from '../src/testnet/testnet-files.ts';
import { runTestnetCli } from '../src/testnet/testnet-program.ts';
import { capturedIo } from './support/captured-io.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

async function run(directory: string, ...args: string[]) {
  const io = capturedIo();
  const status = await runTestnetCli(['--directory', directory, ...args], io, '/nowhere');
  return { status, out: io.out(), err: io.err() };
}

describe('sides of a partition', () => {
  test('numbers and bars, with spaces where people put them', () => {
    expect(parseSides('0,1|2,3', 4)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(parseSides('0 | 1, 2 | 3', 4)).toEqual([[0], [1, 2], [3]]);
    expect(parseSides('0|1', 4)).toEqual([[0], [1]]);
  });

  // @mutation packages/node/src/testnet/partition.ts
  // - if (sides.length >= 2 && known && new Set(all).size === all.length) return sides;
  // + if (sides.length >= 2 && known) return sides;
  test.each(['', '0,1', '0,1|1,2', '0|4', '0|', 'a|b', '0|-1', '0|1.5'])('%j is refused', (text) => {
    expect(() => parseSides(text, 4)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }));
  });
});

describe('testnet directories', () => {
  test('what was made is found again, and other options are refused instead of ignored', async () => {
    const directory = join(await temporaryDirectory(), 'net');
    const made = await openOrCreateTestnet(directory, { nodes: 2, basePort: 30_000 });
    expect(await openOrCreateTestnet(directory, {})).toEqual(made);
    expect((await openTestnet(directory)).nodes.map(({ rpcPort }) => rpcPort)).toEqual([30_000, 30_001]);
    await expect(openOrCreateTestnet(directory, { nodes: 4 })).rejects.toMatchObject({
      code: 'TESTNET_DIFFERENT',
      fields: { found: 2, wanted: 4 },
    });
    await expect(openOrCreateTestnet(directory, { basePort: 8640 })).rejects.toMatchObject({ code: 'TESTNET_DIFFERENT' });
  });

  test('none is missing, a damaged one says how to begin anew', async () => {
    const directory = await temporaryDirectory();
    await expect(openTestnet(directory)).rejects.toMatchObject({ code: 'TESTNET_MISSING' });
    await writeFile(join(directory, 'testnet.json'), '{"nodes":-1}');
    await expect(openTestnet(directory)).rejects.toMatchObject({ code: 'TESTNET_DIFFERENT', hint: expect.stringContaining('reset') });
  });
});

describe('commands on a testnet that does not run', () => {
  test('status, partition, heal and down need no process', async () => {
    const directory = join(await temporaryDirectory(), 'net');
    const files = await openOrCreateTestnet(directory, { nodes: 2, basePort: 30_000 });
    expect((await run(directory, 'status')).out).toContain('stopped');
    expect(JSON.parse((await run(directory, 'status', '--json')).out)).toMatchObject({ running: false, feed: null });
    expect((await run(directory, 'down')).out).toBe('was not running\n');
    // Nodes read the bans when they start.
    expect((await run(directory, 'partition', '0|1')).status).toBe(EXIT.done);
    const bans = () => Promise.all(files.nodes.map(({ home }) => readBannedPeers(homePaths(home).bannedPeers)));
    expect((await bans()).map(({ length }) => length)).toEqual([1, 1]);
    expect((await run(directory, 'heal')).status).toBe(EXIT.done);
    expect(await bans()).toEqual([[], []]);
  });

  test.each(['kill', 'pause', 'resume', 'restart'])('%s says that nothing runs', async (command) => {
    const directory = join(await temporaryDirectory(), 'net');
    await openOrCreateTestnet(directory, { nodes: 1, basePort: 30_000 });
    const { status, err } = await run(directory, command, '0');
    expect([status, err.split(':')[0]]).toEqual([EXIT.configuration, 'TESTNET_STOPPED']);
    expect((await run(directory, command, '1')).err).toContain('TESTNET_NODE_STATE');
  });

  test('logs of a node that never ran are empty; reset removes everything, also what is half made', async () => {
    const directory = join(await temporaryDirectory(), 'net');
    await openOrCreateTestnet(directory, { nodes: 1, basePort: 30_000 });
    expect(await run(directory, 'logs', '0')).toEqual({ status: EXIT.done, out: '', err: '' });
    expect((await run(directory, 'reset')).status).toBe(EXIT.done);
    expect((await run(directory, 'status')).err).toContain('TESTNET_MISSING');
    await mkdir(join(directory, 'node0'), { recursive: true });
    expect((await run(directory, 'reset')).status).toBe(EXIT.done);
  });

  test.each([
    [['bogus'], EXIT.usage],
    [['kill'], EXIT.usage],
    [['kill', 'x'], EXIT.usage],
    [['up', '--nodes', '0'], EXIT.usage],
    [['up', '--prices', '/nonexistent.csv'], EXIT.usage],
    [['up', '--detach', '--prices', '/nonexistent.csv'], EXIT.usage],
    [['up', '--prices', '/nonexistent/a b.csv'], EXIT.usage],
    [['--help'], EXIT.done],
  ])('%j ends with %i before anything is made', async (args, expected) => {
    const directory = join(await temporaryDirectory(), 'net');
    expect((await run(directory, ...args)).status).toBe(expected);
    await expect(openTestnet(directory)).rejects.toMatchObject({ code: 'TESTNET_MISSING' });
  });
});
