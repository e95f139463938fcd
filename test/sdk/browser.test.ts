import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createAccountKey, type OutboxStore } from '@nacre/client';
import { formatGenesis } from '@nacre/ledger';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildSdk } from '../../scripts/sdk/build-sdk.ts';
import { startChromium } from './support/chromium.ts';
import { run } from './support/installed-sdk.ts';
import { readmeExamples } from './support/readme-examples.ts';
import { SdkNetwork } from './support/sdk-network.ts';
import { serveWebSite, type WebSite } from './support/web-site.ts';

/** A page with the script of the README, and one that gives these tests what it and the bundle export. */
const PAGE = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="test.js"></script>';
const SCRIPT =
  "import * as nacre from './nacre-client.js'; import * as readme from './page.js'; Object.assign(globalThis, { nacre, readme });";
interface SdkPage {
  readonly nacre: typeof import('@nacre/client');
  readonly readme: {
    readonly proves: (genesis: string, proof: string, question: object) => Promise<string>;
    readonly IndexedDbStore: { open(name: string): Promise<OutboxStore> };
  };
}

const root = join(import.meta.dirname, '../..');

let browser: Browser;
let network: SdkNetwork;
let site: WebSite;
let url: string;
let proof: string;

beforeAll(async () => {
  browser = await startChromium();
  const work = await mkdtemp(join(tmpdir(), 'nacre-browser-'));
  const { directory } = await buildSdk({ root, work });
  const bundle = readFileSync(join(directory, 'dist/browser/nacre-client.js'), 'utf8');
  await rm(work, { recursive: true });
  site = await serveWebSite({
    'index.html': PAGE,
    'test.js': SCRIPT,
    'page.js': readmeExamples().get('page.js') as string,
    'nacre-client.js': bundle,
  });
  network = await SdkNetwork.start();
  ({ url } = await network.serve({ allowedOrigins: [site.origin] }));
  await connect(url).submitRecords({ service: 'web', key: 'k', payloads: ['a', 'b'] }, { wait: 'committed' });
  const printed = await run(process.execPath, [join(root, 'packages/node/bin/nacre.mjs'), ...proofCommand()], root);
  if (printed.code !== 0) throw new Error(`nacre ended with ${printed.code}: ${printed.stderr}`);
  proof = printed.stdout.trim();
}, 120_000);

function proofCommand(): string[] {
  return ['record', 'proof', '--service', 'web', '--index', '1', '--rpc', url];
}

afterAll(async () => {
  await browser?.close();
  await site?.close();
  await network?.stop();
});

/** A page of the site, and what it complained of; pages of one context share what they store. */
async function openPage(context: Browser | BrowserContext = browser): Promise<{ readonly page: Page; readonly complaints: string[] }> {
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', ({ message }) => complaints.push(message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(site.origin);
  return { page, complaints };
}

describe('in Chromium', () => {
  test('the bundle verifies the proof that nacre prints, and refuses it with any byte flipped', async () => {
    const { page, complaints } = await openPage();
    const outcome = await page.evaluate(
      async ({ genesisText, proof }) => {
        const { readGenesis, verifyRecordProof } = (globalThis as unknown as SdkPage).nacre;
        const genesis = readGenesis(genesisText);
        const question = { service: 'web', index: 1 };
        const proven = await verifyRecordProof(genesis, proof, question);
        const bytes = Uint8Array.from(atob(proof), (character) => character.charCodeAt(0));
        const codes: string[] = [];
        for (let at = 0; at < bytes.length; at += 61) {
          const changed = bytes.slice();
          changed[at] = (changed[at] as number) ^ (1 << (at % 8));
          const verified = verifyRecordProof(genesis, changed, question);
          codes.push(await verified.then(() => 'it holds').catch(({ code }: { code: string }) => code));
        }
        return { kind: proven.kind, index: proven.kind === 'included' ? proven.record.index : -1, codes };
      },
      { genesisText: formatGenesis(network.genesis), proof },
    );
    expect(outcome).toMatchObject({ kind: 'included', index: 1 });
    expect(outcome.codes.length).toBeGreaterThan(20);
    expect(new Set(outcome.codes)).toEqual(new Set(['PROOF_INVALID']));
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('a page of an allowed origin calls a node, listens to it, and proves what it says', async () => {
    const { page, complaints } = await openPage();
    const outcome = await page.evaluate(
      async ({ genesis, url }) => {
        const { connect } = (globalThis as unknown as SdkPage).nacre;
        const client = connect(url, { genesis });
        const subscription = await client.subscribe({ topic: 'records', service: 'web' });
        await client.submitRecords({ service: 'web', key: 'k', payload: 'from a page' }, { wait: 'committed' });
        const { kind } = await client.proveRecord({ service: 'web', key: 'k' });
        for await (const event of subscription) return { kind, heard: event.kind === 'event' ? event.data.payload : null };
        return { kind, heard: null };
      },
      { genesis: formatGenesis(network.genesis), url },
    );
    expect(outcome).toEqual({ kind: 'latest', heard: 'from a page' });
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('a page follows changes of the validators, and keeps how far it came', async () => {
    const changing = await SdkNetwork.start({ epochMs: 1, epochBlocksMin: 2 });
    try {
      const node = await changing.serve({ allowedOrigins: [site.origin] });
      await reweigh(changing, node.url, 1001);
      const { page, complaints } = await openPage();
      const outcome = await page.evaluate(
        async ({ genesis, url }) => {
          const { connect, formatCheckpoint, verifyRecordProof } = (globalThis as unknown as SdkPage).nacre;
          const client = connect(url, { genesis });
          const question = { service: 'web', index: 0 };
          const proof = await client.proof(question);
          const { asOf } = await verifyRecordProof(client.genesis, proof, question);
          const kept = formatCheckpoint(await client.advance());
          const again = connect(url, { genesis, checkpoint: kept });
          const { kind } = await again.proveRecord(question);
          return { kind, weight: again.checkpoint.committee.totalWeight, isAhead: again.checkpoint.height >= asOf.height };
        },
        { genesis: formatGenesis(changing.genesis), url: node.url },
      );
      expect(outcome).toEqual({ kind: 'included', weight: 1001, isAhead: true });
      expect(complaints).toEqual([]);
      await page.close();
    } finally {
      await changing.stop();
    }
  });

  /** The network's only validator decides that it has another weight; records until that is in force. */
  async function reweigh({ genesis, validator }: SdkNetwork, at: string, weight: number): Promise<void> {
    const client = connect(at, { genesis });
    const { address } = validator;
    await client.submitOperations(validator, [{ kind: 'validator.weight', address, weight }], { wait: 'committed' });
    while ((await client.advance()).committee.totalWeight !== weight)
      await client.submitRecords({ service: 'web', payload: 'more' }, { wait: 'committed' });
  }

  test('a page of another origin is kept out, and is told what to do', async () => {
    const strict = await network.serve();
    const { page } = await openPage();
    const outcome = await page.evaluate(async (url) => {
      const { connect } = (globalThis as unknown as SdkPage).nacre;
      const called = await connect(url)
        .status()
        .catch(({ code, hint }: { code: string; hint: string }) => ({ code, hint }));
      // Without the SDK: Chromium holds back the WebSockets of a page after some have failed, and repeating would take half a minute.
      const socket = new WebSocket(new URL('ws', url.replace('http', 'ws')));
      const opened = await new Promise<string>((resolve) => {
        socket.onopen = () => resolve('open');
        socket.onerror = () => resolve('refused');
      });
      return { called, opened };
    }, strict.url);
    const hint = expect.stringContaining('rpc.allowedOrigins');
    expect(outcome).toEqual({ called: { code: 'NETWORK_UNREACHABLE', hint }, opened: 'refused' });
    await page.close();
  });

  test('the outbox of the README keeps what a page submitted, for one page at a time, and sends it from the next', async () => {
    const account = createAccountKey();
    const client = connect(url, { genesis: network.genesis });
    await client.submitOperations(network.validator, [{ kind: 'account.create', publicKey: account.publicKey }], { wait: 'committed' });
    const given = { genesis: formatGenesis(network.genesis), seed: [...account.seed] };

    const context = await browser.newContext();
    const { page: first } = await openPage(context);
    const kept = await first.evaluate(
      async ({ genesis, seed, proof }) => {
        const { nacre, readme } = globalThis as unknown as SdkPage;
        // Nobody is there.
        const client = nacre.connect('http://127.0.0.1:1', { genesis });
        const options = { account: nacre.loadSeed(Uint8Array.from(seed)), onFinal: () => {} };
        const outbox = await nacre.Outbox.open(options, { client, store: await readme.IndexedDbStore.open('outbox') });
        const operation = {
          kind: 'service.create',
          name: 'from-a-page',
          schemas: [{ name: 'note', version: 1 }],
          shard: 0,
          retentionMs: 0,
        } as const;
        const { address } = options.account;
        const { id } = await outbox.submit([{ ...operation, owners: [address], writers: [address] }], { id: 'mine' });
        return { id, proves: await readme.proves(genesis, proof, { service: 'web', index: 1 }) };
      },
      { ...given, proof },
    );
    expect(kept).toMatchObject({ id: 'mine', proves: 'included' });

    const { page: second } = await openPage(context);
    const refused = await second.evaluate(async () => {
      const { readme } = globalThis as unknown as SdkPage;
      return readme.IndexedDbStore.open('outbox').then(() => 'open', String);
    });
    expect(refused).toContain('another page has this outbox');
    await first.close();
    // The browser lets go of a closed page's locks in its own time.
    await second.waitForFunction(async () => (await navigator.locks.query()).held?.length === 0);
    const outcome = await second.evaluate(
      async ({ genesis, seed, url }) => {
        const { nacre, readme } = globalThis as unknown as SdkPage;
        const outcomes: object[] = [];
        const options = { account: nacre.loadSeed(Uint8Array.from(seed)), onFinal: (outcome: object) => outcomes.push(outcome) };
        const client = nacre.connect(url, { genesis });
        const outbox = await nacre.Outbox.open(options, { client, store: await readme.IndexedDbStore.open('outbox') });
        await outbox.drained();
        return outcomes;
      },
      { ...given, url },
    );
    expect(outcome).toMatchObject([{ id: 'mine', status: 'committed' }]);
    await context.close();
  });
});
