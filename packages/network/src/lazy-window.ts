import type { Stream } from '@libp2p/interface';

/** What yamux' streams have besides libp2p's interface: the window that the peer may send into, and what is left of it, in bytes. */
interface WindowedStream {
  readonly state: number;
  readonly recvWindow: number;
  readonly recvWindowCapacity: number;
  sendWindowUpdate(): void;
}

/** `StreamState.Established` of `@libp2p/yamux`: before it, an update also acknowledges the stream. */
const ESTABLISHED = 3;

/**
 * Has a stream tell its peer of room in the window only when half of it is used up, as other implementations of yamux do. `@libp2p/yamux`
 * tells after every frame, which for votes doubles the records, system calls and wake-ups on both ends.
 *
 * The peer is never held up by it: as long as it was not told, it has half of the window left.
 */
export function announceWindowLate(stream: Stream): void {
  if (!isWindowed(stream)) return;
  const announce = stream.sendWindowUpdate.bind(stream);
  stream.sendWindowUpdate = () => {
    if (stream.state === ESTABLISHED && 2 * stream.recvWindowCapacity > stream.recvWindow) return;
    announce();
  };
}

function isWindowed(stream: object): stream is WindowedStream {
  const { state, recvWindow, recvWindowCapacity, sendWindowUpdate } = stream as Partial<WindowedStream>;
  const numbers = [state, recvWindow, recvWindowCapacity].every((field) => typeof field === 'number');
  return numbers && typeof sendWindowUpdate === 'function';
}
