import { assert, concatBytes, type Directory, type Signer } from '@nacre/base';
import { SCHEMES } from '@nacre/crypto';
import type { KeyFiles } from '@nacre/replica';
import type { FaultTally } from './fault-tally.ts';
import { SIMULATED_SCHEME } from './signature-kit.ts';
import type { SimValidator } from './sim-validator.ts';

const KEYS_FILE = 'validator-keys';
const KEY_BYTES = SCHEMES[SIMULATED_SCHEME].publicKeyBytes;

/**
 * The keys in a validator's home, oldest first, in one file that is replaced as a whole: as with the two files of a real home, a crash leaves
 * what was there before or what was to be there. It holds the public halves; the simulation knows the others.
 */
export class SimKeyFiles implements KeyFiles {
  readonly #validator: SimValidator;
  readonly #directory: Directory;
  readonly #tally: FaultTally;

  constructor(validator: SimValidator, { directory, tally }: { readonly directory: Directory; readonly tally: FaultTally }) {
    this.#validator = validator;
    this.#directory = directory;
    this.#tally = tally;
  }

  /** What `init` does. */
  async create(): Promise<void> {
    await this.#directory.replace(KEYS_FILE, this.#validator.first.signer.publicKey);
  }

  readonly read = async (): Promise<readonly Signer[]> => {
    const bytes = await this.#directory.read(KEYS_FILE);
    assert(bytes !== undefined && bytes.length % KEY_BYTES === 0 && bytes.length > 0, 'a home has its keys');
    const places = Array.from({ length: bytes.length / KEY_BYTES }, (_, index) => index * KEY_BYTES);
    return places.map((at) => this.#validator.keyOf(bytes.subarray(at, at + KEY_BYTES)).signer);
  };

  readonly retire = async (): Promise<void> => {
    const [, next] = await this.read();
    assert(next !== undefined, 'the only key is not given up');
    await this.#directory.replace(KEYS_FILE, next.publicKey);
    this.#tally.add('keyErased');
  };

  /** A key beside the present one, for a rotation; once it resolves no crash loses it. */
  async add(publicKey: Uint8Array): Promise<void> {
    const present = await this.read();
    await this.#directory.replace(KEYS_FILE, concatBytes(...present.map((signer) => signer.publicKey), publicKey));
  }
}
