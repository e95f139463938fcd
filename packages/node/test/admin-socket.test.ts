import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type PeerGateControl, restoreBans, serveAdminSocket } from '../src/admin-socket.ts';
import { askLine, serveLines } from '../src/line-socket.ts';
import { NodeError } from '../src/node-error.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

class FakeGate implements PeerGateControl {
  readonly blocked = new Set<string>();

  block(peer: string): void {
    if (peer === 'nobody') throw new NodeError('ARGUMENT_INVALID', 'no such peer', { hint: 'Give another.' });
    this.blocked.add(peer);
  }

  allow(peer: string): void {
    this.blocked.delete(peer);
  }

  list(): string[] {
    return [...this.blocked];
  }
}

async function served() {
  const directory = await temporaryDirectory();
  const paths = { adminSocket: join(directory, 'admin.sock'), bannedPeers: join(directory, 'banned-peers.json') };
  const gate = new FakeGate();
  const socket = await serveAdminSocket(paths, gate);
  return { paths, gate, socket, ask: (method: string, params = {}) => askLine(paths.adminSocket, method, params, 2_000) };
}

describe('admin socket', () => {
  test('bans reach the gate and the file, and a later process reads them back', async () => {
    const { paths, gate, socket, ask } = await served();
    await Promise.all(['a', 'b', 'c'].map((peer) => ask('peers.ban', { peer })));
    await ask('peers.allow', { peer: 'b' });
    expect(await ask('peers.list')).toEqual(expect.arrayContaining(['a', 'c']));
    expect(gate.list()).toHaveLength(2);
    await socket.close();
    const later = new FakeGate();
    await restoreBans(paths.bannedPeers, later);
    expect(later.blocked).toEqual(new Set(['a', 'c']));
  });

  test('only the owner can connect', async () => {
    const { paths, socket } = await served();
    expect(((await stat(paths.adminSocket)).mode & 0o777).toString(8)).toBe('600');
    await socket.close();
  });

  test.each([
    ['peers.ban', { peer: 'nobody' }, 'ARGUMENT_INVALID'],
    ['peers.ban', {}, 'ARGUMENT_INVALID'],
    ['peers.ban', { peer: 'a', more: 1 }, 'ARGUMENT_INVALID'],
    ['peers.list', { peer: 'a' }, 'ARGUMENT_INVALID'],
    ['reboot', {}, 'METHOD_UNKNOWN'],
  ])('%s with %j is refused: %s', async (method, params, reason) => {
    const { socket, ask, gate } = await served();
    await expect(ask(method, params)).rejects.toMatchObject({ code: 'ADMIN_REFUSED', fields: { reason } });
    expect(gate.list()).toEqual([]);
    await socket.close();
  });

  test('garbage is answered as such, and what never ends a line is cut off', async () => {
    const { paths, socket } = await served();
    const client = connect(paths.adminSocket);
    client.on('error', () => undefined);
    client.write('garbage\n');
    const [answer] = (await once(client, 'data')) as [Buffer];
    expect(JSON.parse(String(answer))).toEqual({ ok: false, error: { code: 'MALFORMED', message: 'not a request' } });
    const closed = new Promise((resolve) => client.once('close', resolve));
    client.write('x'.repeat(2 * 1024 * 1024));
    await closed;
    await socket.close();
  });

  test('nobody listens: unreachable', async () => {
    const path = join(await temporaryDirectory(), 'admin.sock');
    await expect(askLine(path, 'peers.list', {}, 1_000)).rejects.toMatchObject({ code: 'ADMIN_UNREACHABLE', fields: { absent: true } });
  });

  test('an answer that takes too long: unreachable', async () => {
    const path = join(await temporaryDirectory(), 'slow.sock');
    const socket = await serveLines(path, new Map([['slow', () => new Promise(() => undefined)]]));
    await expect(askLine(path, 'slow', {}, 50)).rejects.toMatchObject({ code: 'ADMIN_UNREACHABLE', fields: { absent: false } });
    await socket.close();
  });

  test('the socket file of a dead process is in nobody’s way', async () => {
    const path = join(await temporaryDirectory(), 'admin.sock');
    await writeFile(path, '');
    const socket = await serveLines(path, new Map([['hello', async () => 'there']]));
    expect(await askLine(path, 'hello', {}, 1_000)).toBe('there');
    await socket.close();
  });

  test('a path that no Unix socket can have is refused', async () => {
    await expect(serveLines(`/tmp/${'x'.repeat(120)}`, new Map())).rejects.toMatchObject({ code: 'FILE_INACCESSIBLE' });
  });

  test('a bug behind a method is told, and the socket goes on', async () => {
    const path = join(await temporaryDirectory(), 'admin.sock');
    const handlers = new Map([
      ['fail', () => Promise.reject(new Error('oh'))],
      ['work', () => Promise.resolve(1)],
    ]);
    const socket = await serveLines(path, handlers);
    await expect(askLine(path, 'fail', {}, 1_000)).rejects.toMatchObject({ fields: { reason: 'INTERNAL' } });
    expect(await askLine(path, 'work', {}, 1_000)).toBe(1);
    await socket.close();
  });
});

describe('banned peers', () => {
  test('no file bans nobody; a damaged one stops the start instead of letting everyone in', async () => {
    const path = join(await temporaryDirectory(), 'banned-peers.json');
    const gate = new FakeGate();
    await restoreBans(path, gate);
    expect(gate.list()).toEqual([]);
    await writeFile(path, '{"peer":"a"}');
    await expect(restoreBans(path, gate)).rejects.toMatchObject({ code: 'FILE_MALFORMED' });
    expect(await readFile(path, 'utf8')).toBe('{"peer":"a"}');
  });
});
