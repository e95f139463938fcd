import { readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { NodeError } from '../src/node-error.ts';
import { openNodeLog } from '../src/node-log.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const configuration = { level: 'info', rotateBytes: 64 * 1024, keep: 2 } as const;

async function opened() {
  const directory = await temporaryDirectory();
  const lines: string[] = [];
  const log = await openNodeLog({ directory, configuration, terminal: (line) => lines.push(line) });
  const written = async () => {
    const text = await readFile(join(directory, 'current.log'), 'utf8');
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { directory, lines, log, written };
}

describe('log', () => {
  test('events are lines of JSON with their fields, bytes in hex, errors by code', async () => {
    const { log, written } = await opened();
    log.debug({}, 'too detailed');
    log.info({ height: 5, blockHash: new Uint8Array([1, 255]) }, 'block decided');
    log.error({ error: new NodeError('FILE_MALFORMED', 'bad file') }, 'failed');
    await log.close();
    expect(await written()).toMatchObject([
      { level: 30, msg: 'block decided', height: 5, blockHash: '01ff', time: expect.stringMatching(/^20/) },
      { level: 50, msg: 'failed', error: { code: 'FILE_MALFORMED', message: 'bad file' } },
    ]);
  });

  test('warnings and errors are also told to people, and a flood of them is cut', async () => {
    const { log, lines, written } = await opened();
    log.warn({ peer: 'x', n: 3 }, 'peer refused');
    for (let i = 0; i < 200; i++) log.error({}, 'again');
    await log.close();
    expect(lines[0]).toBe('warning: peer refused (peer=x n=3)');
    expect(lines.length).toBeLessThan(70);
    expect(lines.at(-1)).toContain('in the log only');
    expect(await written()).toHaveLength(201);
  });

  test('files are rotated by size, and only so many old ones are kept', async () => {
    const { directory, log } = await opened();
    for (let i = 0; i < 300; i++) {
      log.info({ filling: 'x'.repeat(2_000) }, 'event');
      // A file is rotated between two writes, so there must be some.
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await log.close();
    const files = (await readdir(directory)).filter((name) => name.startsWith('node.'));
    expect(files.length).toBeGreaterThan(1);
    expect(files.length).toBeLessThanOrEqual(4);
  });

  // @mutation packages/node/src/node-log.ts
  // - stream.once('error', () => {
  // + stream.once('warning', () => {
  test('a log on a full disk is closed all the same, and people are told once', async () => {
    const directory = await temporaryDirectory();
    await symlink('/dev/full', join(directory, 'node.1.log'));
    const lines: string[] = [];
    const log = await openNodeLog({ directory, configuration, terminal: (line) => lines.push(line) });
    log.info({}, 'refused');
    log.info({}, 'refused as well');
    await log.close();
    expect(lines).toEqual([expect.stringMatching(/^cannot write the log in .*ENOSPC/)]);
  });

  test.each(['/dev/full', '/nonexistent'])('%s is no directory for logs, and refused before anything runs', async (directory) => {
    await expect(openNodeLog({ directory, configuration, terminal: () => undefined })).rejects.toMatchObject({ code: 'FILE_INACCESSIBLE' });
  });
});
