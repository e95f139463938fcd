import { z } from 'zod';
import { readBannedPeers, writeBannedPeers } from './banned-peers.ts';
import { type LineHandler, serveLines } from './line-socket.ts';
import { NodeError } from './node-error.ts';

/** Who may connect, as the transport carries it out. */
export interface PeerGateControl {
  block(peer: string): void;
  allow(peer: string): void;
  list(): string[];
}

const peerParams = z.strictObject({ peer: z.string().min(1).max(256) });
const noParams = z.strictObject({});

/**
 * The node's admin socket: methods `peers.ban` and `peers.allow` with a peer id or validator address, `peers.list` of the banned. Bans are kept
 * in the home, so that they outlive the process.
 */
export function serveAdminSocket(
  paths: { readonly adminSocket: string; readonly bannedPeers: string },
  gate: PeerGateControl,
): Promise<{ close(): Promise<void> }> {
  // One change of the file after the other.
  let last: Promise<unknown> = Promise.resolve();
  const save = (): Promise<void> => {
    const saved = last.then(() => writeBannedPeers(paths.bannedPeers, gate.list()));
    last = saved.catch(() => undefined);
    return saved;
  };
  const handlers = new Map<string, LineHandler>([
    [
      'peers.ban',
      async (params) => {
        gate.block(check(peerParams, params).peer);
        await save();
      },
    ],
    [
      'peers.allow',
      async (params) => {
        gate.allow(check(peerParams, params).peer);
        await save();
      },
    ],
    [
      'peers.list',
      (params) => {
        check(noParams, params);
        return Promise.resolve(gate.list());
      },
    ],
  ]);
  return serveLines(paths.adminSocket, handlers);
}

/** Shuts out whom this home has banned before. @throws {NodeError} `FILE_MALFORMED` */
export async function restoreBans(path: string, gate: PeerGateControl): Promise<void> {
  for (const peer of await readBannedPeers(path)) gate.block(peer);
}

function check<Value>(schema: z.ZodType<Value>, params: unknown): Value {
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  throw new NodeError('ARGUMENT_INVALID', z.prettifyError(parsed.error));
}
