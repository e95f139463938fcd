import { once } from 'node:events';
import { open, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';

const BYTES = 256 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;

const megabytesPerSecond = (startedMs: number): number => BYTES / 1000 / (performance.now() - startedMs);

/** What the disk below a directory takes, written one behind the other and synced at the end, in MB/s. */
export async function diskSpeed(directory: string): Promise<number> {
  const path = join(directory, 'plain');
  const file = await open(path, 'w');
  const chunk = new Uint8Array(CHUNK_BYTES).fill(1);
  const startedMs = performance.now();
  for (let written = 0; written < BYTES; written += CHUNK_BYTES) await file.write(chunk);
  await file.datasync();
  const speed = megabytesPerSecond(startedMs);
  await file.close();
  await rm(path);
  return speed;
}

function* chunks(chunk: Uint8Array): Generator<Uint8Array> {
  for (let sent = 0; sent < BYTES; sent += CHUNK_BYTES) yield chunk;
}

/** What one TCP connection of this process to itself carries, in MB/s. */
export async function loopbackSpeed(): Promise<number> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  const server = createServer((socket) => {
    Readable.from(chunks(chunk)).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const startedMs = performance.now();
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').resume();
  await once(socket, 'end');
  const speed = megabytesPerSecond(startedMs);
  socket.destroy();
  server.close();
  return speed;
}
