import type { Member } from '@nacre/ledger';

/** What an explanation is made of. */
export interface Standing {
  /** Undefined for whoever served once and is known no more. */
  readonly member: Member | undefined;
  readonly epoch: number;
  /** In the committee that is asked about, in the next one, and as decided for the one after that; 0 where it has no place. */
  readonly weight: number;
  readonly nextWeight: number;
  readonly decidedWeight: number;
}

/** Why a validator weighs what it does and what comes next, in sentences. */
export function explainValidator(standing: Standing): string {
  const { member } = standing;
  if (member === undefined) return 'No validator any more.';
  return [heldSentence(member), weightSentence(standing, member), ...changeSentences(standing)]
    .filter((sentence) => sentence !== null)
    .join(' ');
}

function heldSentence({ held }: Member): string | null {
  if (held === null) return null;
  const offence = `offence ${held.offence}`;
  switch (held.verdict) {
    case 'pending':
      return `It signed two different things at one place (${offence}), and is judged when epoch ${held.epoch} ends.`;
    case 'quarantined':
      return `Quarantined from epoch ${held.epoch} on for ${offence}, until the validators decide to rehabilitate it.`;
    case 'serving':
      return `Held for ${offence}, yet it serves: without it and the others held, a third of the weight would have gone at once.`;
  }
}

function weightSentence({ weight }: Standing, { weight: decided, baseWeight, performance, held }: Member): string | null {
  if (decided === 0) return 'It was decided that it leaves.';
  const record =
    performance === null ? '' : ` In epoch ${performance.epoch} it signed ${performance.commits} of ${performance.heights} heights.`;
  if (decided === baseWeight)
    return held?.verdict === 'quarantined' || weight === 0 ? null : `Its full weight of ${baseWeight}, as decided.${record}`;
  const isLow = performance !== null && 2 * performance.commits < performance.heights;
  const trend = isLow ? 'That is less than half, so it falls.' : 'It rises again with every epoch of which it signs half or more.';
  return `Lowered from ${baseWeight} to ${decided} because it signed less than half of an epoch.${record} ${trend}`;
}

function changeSentences({ epoch, weight, nextWeight, decidedWeight }: Standing): string[] {
  const sentences: string[] = [];
  if (nextWeight !== weight) sentences.push(step(weight, nextWeight, epoch + 1));
  if (decidedWeight !== nextWeight) sentences.push(step(nextWeight, decidedWeight, epoch + 2));
  return sentences;
}

function step(from: number, to: number, epoch: number): string {
  if (from === 0) return `Serves from epoch ${epoch} on, with weight ${to}.`;
  return to === 0 ? `No longer serves from epoch ${epoch} on.` : `Weight ${to} from epoch ${epoch} on.`;
}
