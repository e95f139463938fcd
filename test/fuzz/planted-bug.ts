/** Throws for one of 2^24 inputs. Each right byte runs a block of its own, which is what coverage sees. */
export function guardedByThreeBytes(input: Uint8Array): boolean {
  if (input[0] === 0x4e) {
    if (input[1] === 0x61) {
      if (input[2] === 0x63) throw new RangeError('the planted bug');
      return true;
    }
    return true;
  }
  return false;
}
