import { toHex } from '@nacre/base';
import { decodeMessage } from '@nacre/replica';
import type { TraceEntry } from '../trace.ts';
import type { Violation } from '../violation.ts';

/** Messages drawn: those before the violation. More would be a black square. */
const MESSAGES_MAX = 160;
const LEFT = 110;
const TOP = 84;
/** Width of a character of the title, about. */
const TITLE_CHARACTER = 7;
const LANE = 230;
/** Vertical space for each message, so that a busy moment gets more room than a quiet one. */
const ROW = 11;

const COLOURS = { proposal: '#1f5fbf', prepare: '#2a8a3e', commit: '#c25e00', other: '#b8b8b8' } as const;
type Colour = keyof typeof COLOURS;

interface Drawing {
  readonly x: (node: number) => number;
  readonly y: (timeMs: number) => number;
}

interface Context {
  readonly nodes: number;
  readonly violation: Violation;
}

/**
 * The end of a run as an SVG: a line per node downwards in time, an arrow per message from where it was sent to where it arrived.
 * Time is stretched where much happens: the scale at the left says how.
 */
export function spaceTimeDiagram(entries: readonly TraceEntry[], { nodes, violation }: Context): string {
  const shown = entries.filter(isShown);
  const messages = shown.filter(({ kind }) => kind === 'deliver').slice(-MESSAGES_MAX);
  const fromMs = messages[0]?.timeMs ?? 0;
  const others = shown.filter(({ kind, timeMs }) => kind !== 'deliver' && timeMs >= fromMs);
  const moments = [...new Set([...messages, ...others].map(({ timeMs }) => timeMs)), violation.atMs].sort((a, b) => a - b);
  const drawing: Drawing = { x: (node) => LEFT + LANE * (node + 0.5), y: stretched(moments) };
  const bottom = drawing.y(violation.atMs) + 40;
  const width = LEFT + LANE * nodes;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${bottom + 20}" font-family="sans-serif" font-size="10">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...title(`${violation.code} at ${violation.atMs.toFixed(1)} ms: ${violation.detail}`, width),
    legend(),
    ...Array.from({ length: nodes }, (_, node) => lifeline(node, bottom, drawing)),
    ...scale(moments, drawing),
    ...messages.map((entry) => arrow(entry, drawing)),
    ...others.map((entry) => mark(entry, width, drawing)),
    `<line x1="${LEFT}" x2="${width}" y1="${drawing.y(violation.atMs)}" y2="${drawing.y(violation.atMs)}" stroke="#d00000" stroke-width="2"/>`,
    `<text x="${LEFT}" y="${drawing.y(violation.atMs) + 14}" fill="#d00000">${violation.code}</text>`,
    '</svg>\n',
  ].join('\n');
}

/** As much of the text as fits into two lines above the legend. */
function title(text: string, width: number): string[] {
  const columns = Math.floor(width / TITLE_CHARACTER);
  return [0, 1].map((line) => {
    const part = text.slice(line * columns, (line + 1) * columns);
    return `<text x="10" y="${14 + 14 * line}" font-size="12">${xmlText(part)}</text>`;
  });
}

/** Votes and proposals, and what happens to nodes; not what only keeps them in touch. */
function isShown({ kind, bytes }: TraceEntry): boolean {
  if (kind !== 'deliver')
    return (
      kind !== 'connect' && kind !== 'disconnect' && kind !== 'request' && kind !== 'answer' && kind !== 'answered' && kind !== 'submit'
    );
  const decoded = bytes === undefined ? undefined : decodeMessage(bytes);
  return decoded?.ok === true && ['proposal', 'votes', 'decided'].includes(decoded.value.kind);
}

/** One row per moment at which something happens; between two of them, in proportion. */
function stretched(moments: readonly number[]): (timeMs: number) => number {
  return (timeMs) => {
    let after = moments.findIndex((moment) => moment >= timeMs);
    if (after < 0) after = moments.length;
    const [before, next] = [moments[after - 1], moments[after]];
    if (before === undefined) return TOP;
    const share = next === undefined || next === before ? 0 : (timeMs - before) / (next - before);
    return TOP + ROW * (after - 1 + share);
  };
}

function legend(): string {
  const items = (Object.keys(COLOURS) as Colour[]).map(
    (name, i) => `<text x="${10 + 80 * i}" y="46" fill="${COLOURS[name]}">— ${name === 'other' ? 'other' : name}</text>`,
  );
  return items.join('');
}

function lifeline(node: number, bottom: number, { x }: Drawing): string {
  return (
    `<text x="${x(node)}" y="${TOP - 14}" text-anchor="middle" font-size="12">node ${node}</text>` +
    `<line x1="${x(node)}" x2="${x(node)}" y1="${TOP - 8}" y2="${bottom}" stroke="#404040"/>`
  );
}

function scale(moments: readonly number[], { y }: Drawing): string[] {
  return moments
    .filter((_, i) => i % 5 === 0)
    .map((ms) => `<text x="${LEFT - 10}" y="${y(ms) + 3}" text-anchor="end" fill="#606060">${ms.toFixed(2)} ms</text>`);
}

function arrow({ node, other, timeMs, sentAtMs, bytes }: TraceEntry, { x, y }: Drawing): string {
  const { label, colour } = describe(bytes);
  const [x1, x2] = [x(other), x(node)];
  const [y1, y2] = [y(sentAtMs ?? timeMs), y(timeMs)];
  const side = x2 > x1 ? -4 : 4;
  return (
    `<line x1="${x1}" y1="${y1.toFixed(1)}" x2="${x2}" y2="${y2.toFixed(1)}" stroke="${COLOURS[colour]}" stroke-opacity="0.75"/>` +
    `<circle cx="${x2}" cy="${y2.toFixed(1)}" r="2" fill="${COLOURS[colour]}"/>` +
    `<text x="${x2 + side}" y="${(y2 - 2).toFixed(1)}" text-anchor="${side < 0 ? 'end' : 'start'}" font-size="8" fill="${COLOURS[colour]}">${xmlText(label)}</text>`
  );
}

function describe(bytes: Uint8Array | undefined): { readonly label: string; readonly colour: Colour } {
  const decoded = bytes === undefined ? undefined : decodeMessage(bytes);
  if (decoded?.ok !== true) return { label: '', colour: 'other' };
  const message = decoded.value;
  if (message.kind === 'proposal') {
    const { height, round, validRound, blockHash } = message.proposal;
    return { label: `${height}/${round}${validRound < 0 ? '' : ` valid ${validRound}`} ${short(blockHash)}`, colour: 'proposal' };
  }
  if (message.kind === 'decided') return { label: `decided ${message.certificate.height}`, colour: 'other' };
  if (message.kind !== 'votes') return { label: message.kind, colour: 'other' };
  const [first] = message.votes;
  if (first === undefined) return { label: 'no votes', colour: 'other' };
  const more = message.votes.length > 1 ? ` +${message.votes.length - 1}` : '';
  return {
    label: `v${first.validator} ${first.height}/${first.round} ${first.blockHash === null ? 'none' : short(first.blockHash)}${more}`,
    colour: first.kind,
  };
}

function mark({ kind, node, timeMs, number, bytes }: TraceEntry, width: number, { x, y }: Drawing): string {
  const at = y(timeMs).toFixed(1);
  if (kind === 'partition' || kind === 'heal') {
    return `<line x1="${LEFT}" x2="${width}" y1="${at}" y2="${at}" stroke="#8040a0" stroke-dasharray="4 3"/><text x="${width - 4}" y="${Number(at) - 2}" text-anchor="end" fill="#8040a0">${kind}</text>`;
  }
  if (node < 0) return '';
  const red = kind === 'crash' || kind === 'exit' || kind === 'damage' || kind === 'penalty';
  const text = kind === 'decided' ? `${number} ${bytes === undefined ? '' : short(bytes)}` : kind;
  const colour = red ? '#d00000' : '#000000';
  return (
    `<rect x="${x(node) - 4}" y="${Number(at) - 4}" width="8" height="8" fill="${colour}"/>` +
    `<text x="${x(node) + 8}" y="${Number(at) + 4}" fill="${colour}" font-weight="bold">${xmlText(text)}</text>`
  );
}

function short(bytes: Uint8Array): string {
  return toHex(bytes.subarray(0, 2));
}

function xmlText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
