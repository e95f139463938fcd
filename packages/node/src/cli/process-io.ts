import { NodeError } from '../node-error.ts';
import type { CommandIo } from './command-io.ts';

/** The process's own streams and environment. A reader that went away, as `| head` does, is no failure. */
export function processIo(): CommandIo {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  return {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    environment: process.env,
    readStdin: async (bytesMax) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > bytesMax)
          throw new NodeError('ARGUMENT_INVALID', `standard input holds more than ${bytesMax} bytes`, { fields: { bytesMax } });
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString('utf8');
    },
  };
}
