import type { SnapshotManifest } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { lightUpdateCodec } from '../src/light-update.ts';
import { idsPartCodec, logsPartCodec, statePartCodec } from '../src/snapshot-part.ts';
import { type Carrier, made, Newcomer } from './support/snapshot-copy.ts';
import { definition, TestChain } from './support/test-chain.ts';

async function chainWithSnapshot({ accounts = 200, validityWindowMs = 3_600_000 } = {}) {
  const { chain, writer } = await TestChain.withService({ parameters: { validityWindowMs } });
  await chain.decide([await chain.transaction(writer, [{ kind: 'service.create', ...definition('other', writer) }])]);
  await chain.decide([await chain.append(writer, [['eur', '1'], 'none'])]);
  await chain.decide([await chain.append(writer, ['of the other'], 'other')]);
  for (let from = 0; from < accounts; from += 50) {
    const operations = Array.from({ length: 50 }, (_, i) => ({
      kind: 'account.create' as const,
      publicKey: chain.key(`account ${from + i}`).signer.publicKey,
    }));
    await chain.decide([await chain.transaction(chain.validator(1), operations)]);
  }
  return { chain, manifest: await made(chain) };
}

/** Takes the snapshot with one of its parts changed. */
async function taken(
  { chain, manifest }: { chain: TestChain; manifest: SnapshotManifest },
  carry: Carrier,
  changed: Partial<SnapshotManifest> = {},
) {
  const newcomer = new Newcomer(chain);
  const result = await newcomer.take({ ...manifest, ...changed }, carry);
  // Whatever was tried, the node still has the chain that it had.
  if (!result.ok) expect((await newcomer.open()).tip.height).toBe(0);
  return result;
}

const only =
  (wanted: RegExp, change: (bytes: Uint8Array) => Uint8Array): Carrier =>
  (name, bytes) =>
    wanted.test(name) ? change(bytes) : bytes;

const flipped = (at: number) => (bytes: Uint8Array) => {
  const copy = bytes.slice();
  const place = at < 0 ? copy.length + at : at;
  copy[place] = (copy[place] as number) ^ 1;
  return copy;
};

describe('a false part is found when it comes, whichever it is', () => {
  test('a bit of any part', async () => {
    const source = await chainWithSnapshot();
    const names = new Set<string>();
    await taken(source, (name, bytes) => {
      names.add(name);
      return bytes;
    });
    expect([...names].filter((name) => name.startsWith('state/')).length).toBeGreaterThan(3);
    for (const name of names) {
      for (const at of [0, 9, -1]) {
        const result = await taken(source, (part, bytes) => (part === name ? flipped(at)(bytes) : bytes));
        expect(result, `${name} at ${at}`).toMatchObject({ ok: false, error: { part: name } });
      }
    }
  });

  // @mutation packages/ledger/src/snapshot-state.ts
  // - return bytesEqual(root, hash) ?
  // + return bytesEqual(root, hash) || true ?
  test('an entry that the state does not have, or that is left out', async () => {
    const source = await chainWithSnapshot();
    const change = (leave: boolean) =>
      only(/^state/, (bytes) => {
        const part = statePartCodec.decode(bytes);
        if (!part.ok || part.value.kind !== 'entries') return bytes;
        const [first, ...rest] = part.value.entries;
        const other = { key: first?.key as Uint8Array, content: { value: Uint8Array.of(1) } };
        return statePartCodec.encode({ kind: 'entries', entries: leave ? rest : [other, ...rest] });
      });
    for (const leave of [true, false]) expect(await taken(source, change(leave))).toMatchObject({ error: { code: 'SNAPSHOT_PART' } });
  });

  // @mutation packages/ledger/src/snapshot-intake.ts
  // - if (!bytesEqual(logRoot(leaves), header.value.transactionsRoot)) return null;
  // +
  test('a transaction that is left out of the ids, so that it could come again', async () => {
    const source = await chainWithSnapshot();
    const cut = only(/^ids/, (bytes) => {
      const part = idsPartCodec.decode(bytes);
      if (!part.ok) return bytes;
      const [top, ...rest] = part.value.blocks;
      return idsPartCodec.encode({ blocks: [{ header: top?.header as Uint8Array, ids: new Uint8Array(0) }, ...rest] });
    });
    expect(await taken(source, cut)).toMatchObject({ ok: false, error: { code: 'SNAPSHOT_PART', part: 'ids/0' } });
  });

  // @mutation packages/ledger/src/snapshot-intake.ts
  // - if (blocks.length === 0 || ended !== (index === this.manifest.ids - 1))
  // + if (blocks.length === 0)
  test('ids that end before the validity window does', async () => {
    const source = await chainWithSnapshot();
    const cut = only(/^ids/, (bytes) => {
      const part = idsPartCodec.decode(bytes);
      return part.ok ? idsPartCodec.encode({ blocks: part.value.blocks.slice(0, 2) }) : bytes;
    });
    expect(await taken(source, cut)).toMatchObject({ ok: false, error: { code: 'SNAPSHOT_PART', part: 'ids/0' } });
  });

  test('the log of a service that is another one', async () => {
    const source = await chainWithSnapshot();
    const swapped = only(/^logs/, (bytes) => {
      const part = logsPartCodec.decode(bytes);
      const [a, b] = part.ok ? part.value.logs : [];
      if (a === undefined || b === undefined) return expect.unreachable();
      return logsPartCodec.encode({ logs: [{ ...a, frontier: b.frontier }, b] });
    });
    expect(await taken(source, swapped)).toMatchObject({ ok: false, error: { code: 'SNAPSHOT_PART', part: 'logs/0' } });
  });

  // @mutation packages/ledger/src/snapshot-intake.ts
  // - if (!this.#logged.has(service) && this.#value(RECORD_LOG.stateKey(service)) !== undefined)
  // + if (false)
  test('the log of a service that is left out', async () => {
    const source = await chainWithSnapshot();
    const without = only(/^logs/, (bytes) => {
      const part = logsPartCodec.decode(bytes);
      return part.ok ? logsPartCodec.encode({ logs: part.value.logs.slice(1) }) : bytes;
    });
    expect(await taken(source, without)).toMatchObject({ ok: false, error: { code: 'SNAPSHOT_LOGS' } });
    expect(await taken(source, without, { logs: 0 })).toMatchObject({ ok: false, error: { code: 'SNAPSHOT_LOGS' } });
  });
});

// Named after cometbft #266: there, whoever syncs by state has to name servers that it trusts.
// @mutation packages/ledger/src/certified-header.ts
// - if (!verified.ok) return verified;
// +
test('state sync needs no trusted server: a block that no quorum has signed is refused with the first part', async () => {
  const source = await chainWithSnapshot({ accounts: 0 });
  const forged = only(/^links/, (bytes) => {
    const update = lightUpdateCodec.decode(bytes);
    if (!update.ok || update.value.head === null) return expect.unreachable();
    const { header, certificate } = update.value.head;
    const commits = certificate.commits.map((commit) => ({ ...commit, signature: commit.signature.map((byte) => byte ^ 1) }));
    return lightUpdateCodec.encode({ links: [], head: { header, certificate: { ...certificate, commits } } });
  });
  expect(await taken(source, forged)).toMatchObject({ ok: false, error: { part: 'links/0' } });
});

test('counts that are wrong take nobody further', async () => {
  const source = await chainWithSnapshot({ accounts: 0 });
  const honest: Carrier = (_, bytes) => bytes;
  for (const changed of [{ links: 2 }, { ids: 2 }, { height: source.manifest.height - 1 }] as const) {
    expect(await taken(source, honest, changed)).toMatchObject({ ok: false });
  }
});
