/**
 * LevelDB's log format, as its write-ahead logs and its manifest have it: blocks of 32 KiB, in which each record has a header of a masked
 * CRC-32C over type and content (4 bytes), length (2) and type (1), all little-endian.
 *
 * @see https://github.com/google/leveldb/blob/main/doc/log_format.md
 */

const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 4 + 2 + 1;
/** Types from a whole record to the last part of one. Zero is room that was set aside and never written. */
const TYPE_MIN = 1;
const TYPE_MAX = 4;
const MASK_DELTA = 0xa282ead8;
/** Castagnoli's polynomial, its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

/**
 * Where a log is damaged in its midst: something there is not a record, and there are records behind it. LevelDB passes over such a place
 * and says nothing, so what was written before and after it would stand side by side with a gap between. A bad end is no damage: a crash
 * may leave any part of what it interrupted.
 *
 * @returns the offset of what cannot be read; null where there is none
 */
export function gapInLog(bytes: Uint8Array): number | null {
  let gap: number | null = null;
  for (let block = 0; block < bytes.length; block += BLOCK_BYTES) {
    const end = Math.min(block + BLOCK_BYTES, bytes.length);
    let at = block;
    while (at + HEADER_BYTES <= end) {
      const length = recordLength(bytes, at, end);
      if (length !== null) {
        if (gap !== null) return gap;
        at += length;
        continue;
      }
      gap ??= at;
      // A damaged length says nothing about where the next record begins, so it is looked for.
      at++;
    }
  }
  return null;
}

/** Length of the undamaged record at `at`, its header included; null if there is none. */
function recordLength(bytes: Uint8Array, at: number, end: number): number | null {
  const type = bytes[at + 6] as number;
  if (type < TYPE_MIN || type > TYPE_MAX) return null;
  const length = (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8);
  if (at + HEADER_BYTES + length > end) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return view.getUint32(at, true) === maskedCrc(bytes, at + 6, at + HEADER_BYTES + length) ? HEADER_BYTES + length : null;
}

/** LevelDB masks checksums, because one over bytes that hold their own is always the same. */
function maskedCrc(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0xffffffff;
  for (let i = from; i < to; i++) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[i] as number)) & 0xff] as number);
  crc ^= 0xffffffff;
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}
