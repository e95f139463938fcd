import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

const OPCODE_TEXT = 0x81;
const OPCODE_PING = 0x89;

/** A WebSocket by hand, whose reading can be stopped: what clients of real libraries do when they are busy. RFC 6455. */
export class SlowWebSocket {
  readonly messages: string[] = [];
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #open = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => {});
  }

  static async connect(url: string): Promise<SlowWebSocket> {
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    const slow = new SlowWebSocket(socket);
    const key = randomBytes(16).toString('base64');
    const headers = [
      `Host: ${host}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${key}`,
    ];
    socket.write(`GET /ws HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
    while (!slow.#open) await new Promise((resolve) => setTimeout(resolve, 5));
    return slow;
  }

  send(text: string): void {
    const payload = Buffer.from(text);
    const mask = Buffer.alloc(4);
    // A zero mask changes nothing, which is enough for a client that nobody attacks.
    const length =
      payload.length < 126 ? Buffer.of(0x80 | payload.length) : Buffer.of(0x80 | 126, payload.length >> 8, payload.length & 0xff);
    this.#socket.write(Buffer.concat([Buffer.of(OPCODE_TEXT), length, mask, payload]));
  }

  stopReading(): void {
    this.#socket.pause();
  }

  read(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (!this.#open) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.#open = true;
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    for (let length = this.#frameLength(); length !== null; length = this.#frameLength()) {
      const [opcode = 0, short = 0] = this.#bytes;
      const headerLength = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (opcode === OPCODE_TEXT) this.messages.push(this.#bytes.subarray(headerLength, length).toString('utf8'));
      else if (opcode !== OPCODE_PING) this.#socket.destroy();
      this.#bytes = this.#bytes.subarray(length);
    }
  }

  /** Of the first frame with its header, or null while it is not complete. */
  #frameLength(): number | null {
    const short = this.#bytes[1];
    if (short === undefined) return null;
    if (short === 126 && this.#bytes.length < 4) return null;
    if (short === 127 && this.#bytes.length < 10) return null;
    const length = short < 126 ? 2 + short : short === 126 ? 4 + this.#bytes.readUInt16BE(2) : 10 + Number(this.#bytes.readBigUInt64BE(2));
    return this.#bytes.length < length ? null : length;
  }
}
