import { toHex } from '@nacre/base';
import { type Checkpoint, checkpointFields, formatCheckpoint, genesisCheckpoint, parseCheckpoint } from '@nacre/ledger';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { ChangingChain } from './support/changing-chain.ts';
import { reached, update } from './support/light-updates.ts';

let chain: ChangingChain;
let checkpoint: Checkpoint;

beforeAll(async () => {
  chain = await ChangingChain.create({
    epochs: [
      ['a', 'b', 'c', 'd'],
      ['b', 'c', 'd', { name: 'e', weight: 7 }],
    ],
  });
  checkpoint = await reached(chain, update(chain));
});

function refusal(text: string): string {
  const parsed = parseCheckpoint(text);
  return parsed.ok ? 'accepted' : parsed.error.code;
}

/** The file with some of its fields changed. */
function changed(fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...(JSON.parse(formatCheckpoint(checkpoint)) as object), ...fields });
}

const WRONG: readonly (readonly [name: string, value: unknown])[] = [
  ['version', 2],
  ['height', -1],
  ['height', 1.5],
  ['timeMs', '5'],
  ['epoch', null],
  ['genesisHash', 'ab'],
  ['blockHash', 'ab'],
  ['blockHash', 7],
  ['committeeHash', '00'.repeat(32)],
  ['validators', []],
  ['validators', [null]],
  ['validators', [{ address: 'x', publicKey: '', weight: 1 }]],
];

describe("a checkpoint's file", () => {
  test('holds what the checkpoint holds', () => {
    for (const one of [checkpoint, genesisCheckpoint(chain.genesis)]) {
      const parsed = parseCheckpoint(formatCheckpoint(one));
      expect(parsed).toMatchObject({ ok: true });
      if (!parsed.ok) return;
      expect(checkpointFields(parsed.value)).toEqual(checkpointFields(one));
      expect(parsed.value.committee.validators).toEqual(one.committee.validators);
    }
  });

  test('shows people what they compare, and says its version', () => {
    const { version, height, blockHash, committeeHash, epoch } = JSON.parse(formatCheckpoint(checkpoint)) as Record<string, unknown>;
    expect({ version, height, blockHash, committeeHash, epoch }).toEqual({
      version: 1,
      height: 6,
      blockHash: toHex(checkpoint.blockHash),
      committeeHash: toHex(chain.committee(1).hash),
      epoch: 1,
    });
  });

  // @mutation packages/ledger/src/checkpoint-file.ts
  // - if (committeeHash !== toHex(committee.hash)) return
  // + if (committeeHash === '') return
  // @mutation packages/ledger/src/checkpoint-file.ts
  // - if (version !== CHECKPOINT_VERSION) return
  // + if (version === 0) return
  test.each(WRONG)('with %s %j is refused', (name, value) => {
    expect(refusal(changed({}))).toBe('accepted');
    expect(refusal(changed({ [name]: value }))).toBe('CHECKPOINT_MALFORMED');
  });

  // @mutation packages/ledger/src/checkpoint-file.ts
  // - if (text.length > CHECKPOINT_CHARACTERS_MAX) return malformed('too large');
  // +
  test('that is none is refused, and nothing is thrown', () => {
    for (const text of ['', '[', 'null', '7', '{}']) expect(refusal(text)).toBe('CHECKPOINT_MALFORMED');
    expect(refusal(`${formatCheckpoint(checkpoint)}${' '.repeat(1024 * 1024)}`)).toBe('CHECKPOINT_MALFORMED');
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(refusal(text)).not.toBe('accepted');
      }),
    );
  });
});
