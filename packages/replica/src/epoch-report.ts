import type { Log } from '@nacre/base';
import { type Ledger, PROTOCOL_VERSION_MAX } from '@nacre/ledger';

/** Says after the last block of an epoch what begins; and, an epoch ahead, that this program will not know the rules of the one after. */
export function reportEpoch({ ledger, log }: { readonly ledger: Ledger; readonly log: Log }): void {
  const height = ledger.tip.height + 1;
  const begun = ledger.epochOf(height);
  if (begun === undefined || begun.firstHeight !== height) return;
  const { epoch, committee } = begun;
  log.info({ epoch, height, validators: committee.size, totalWeight: committee.totalWeight }, 'epoch begins');
  const { protocolVersion } = ledger.validatorSet.scheduledParameters.scheduled;
  if (protocolVersion <= PROTOCOL_VERSION_MAX) return;
  log.error(
    { protocolVersion, known: PROTOCOL_VERSION_MAX, epoch: epoch + 1 },
    'the network goes on to newer rules with the next epoch: upgrade this node before, or it will stop there',
  );
}
