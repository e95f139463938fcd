import { assert, BLOCK_VERDICTS_MAX, bytesEqual, type Hash } from '@nacre/base';

/** Which blocks are here, and whether they are valid. The oldest verdict goes when `BLOCK_VERDICTS_MAX` is reached. */
export class BlockVerdicts {
  readonly #verdicts: { readonly blockHash: Hash; readonly valid: boolean }[] = [];

  note(blockHash: Hash, valid: boolean): void {
    const known = this.of(blockHash);
    // Validity is a function of the block and its parent's state, so another verdict is a bug in whoever executes.
    assert(known === undefined || known === valid, 'a block is either valid or not');
    if (known !== undefined) return;
    if (this.#verdicts.length === BLOCK_VERDICTS_MAX) this.#verdicts.shift();
    this.#verdicts.push({ blockHash, valid });
  }

  /** @returns undefined if the block is not here */
  of(blockHash: Hash): boolean | undefined {
    return this.#verdicts.find((verdict) => bytesEqual(verdict.blockHash, blockHash))?.valid;
  }
}
