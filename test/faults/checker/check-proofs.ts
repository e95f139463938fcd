import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fromUtf8 } from '@nacre/base';
import { createVerifier } from '@nacre/crypto/native';
import { parseGenesis, verifyProof } from '@nacre/ledger';
import type { NodeView, Report, SeenRecord } from '../history.ts';
import type { LabNode } from '../lab-node.ts';
import { callNode } from '../rpc.ts';

const ANSWER_MS = 5_000;
/** Proofs under way at once. */
const CONCURRENCY = 8;

interface Proven {
  readonly service: string;
  readonly record: SeenRecord;
  /** Base64. */
  readonly proof: string;
}

/**
 * Has each record proven by one node after the other, and verifies the proofs as a light client does; one of them also by the command, which has
 * the genesis file and nothing else.
 *
 * @param nacre the program and its arguments before `verify`
 */
export async function checkProofs(
  { records }: NodeView,
  { nodes, genesisPath, nacre }: { readonly nodes: readonly LabNode[]; readonly genesisPath: string; readonly nacre: readonly string[] },
  report: Report,
): Promise<void> {
  const genesis = parseGenesis(readFileSync(genesisPath, 'utf8'));
  if (!genesis.ok) throw new Error(`${genesisPath}: ${genesis.error.code}`);
  const verifier = createVerifier(genesis.value.scheme);
  const todo = [...records].flatMap(([service, list]) => list.map((record) => ({ service, record })));
  let sample: Proven | null = null;
  const prove = async ({ service, record }: (typeof todo)[number]): Promise<void> => {
    const node = nodes[record.index % nodes.length] as LabNode;
    const params = { service, index: record.index };
    const answer = await callNode(node.url, { method: 'record_proof', params }, ANSWER_MS);
    const what = `node ${node.index} on record ${record.index} of ${service}`;
    if (!answer.ok || typeof answer.result !== 'string') return report('PROOF', `${what}: ${JSON.stringify(answer)}`);
    const verified = await verifyProof(genesis.value, new Uint8Array(Buffer.from(answer.result, 'base64')), verifier);
    if (!verified.ok) return report('PROOF', `${what}: ${JSON.stringify(verified.error)}`);
    const { value } = verified;
    const isIt = value.kind === 'included' && value.service === service && value.record.index === record.index;
    const payload = isIt ? fromUtf8(value.record.payload) : undefined;
    if (payload !== JSON.stringify({ name: record.name })) report('PROOF', `${what} proves another one: ${payload ?? value.kind}`);
    sample = { service, record, proof: answer.result };
  };
  while (todo.length > 0) await Promise.all(todo.splice(0, CONCURRENCY).map(prove));
  if (sample !== null) verifyByCommand(sample, { genesisPath, nacre }, report);
}

function verifyByCommand(
  { service, record, proof }: Proven,
  { genesisPath, nacre }: { readonly genesisPath: string; readonly nacre: readonly string[] },
  report: Report,
): void {
  const [program = '', ...before] = nacre;
  const what = ['--service', service, '--index', String(record.index)];
  try {
    execFileSync(program, [...before, 'verify', '--genesis', genesisPath, ...what], { input: proof, stdio: ['pipe', 'pipe', 'pipe'] });
  } catch (error) {
    report('PROOF', `nacre verify refuses record ${record.index} of ${service}: ${String(error)}`);
  }
}
