import { ContainerType, ListCompositeType } from '@chainsafe/ssz';
import { CERTIFICATE_BYTES_MAX, type Codec, convertedCodec, FORMAT_VERSION, VersionType } from '@nacre/consensus';
import { type CertifiedHeader, CertifiedHeaderType, certifiedHeaderFromWire, certifiedHeaderToWire } from './certified-header.ts';
import { type EpochLink, EpochLinkType, linkFromWire, linkToWire } from './epoch-link.ts';
import { HEADER_BYTES_MAX } from './header.ts';
import { LINKS_BYTES_MAX, LINKS_MAX } from './link-limits.ts';

/** What takes a light client on: every change of the committee after its checkpoint, and then a block that the last committee decided. */
export interface LightUpdate {
  /** The oldest first. */
  readonly links: readonly EpochLink[];
  /** Later than the links, and not itself the last before a change; null where there is no such block, or where further links come first. */
  readonly head: CertifiedHeader | null;
}

export const EpochLinksType = new ListCompositeType(EpochLinkType, LINKS_MAX);

const LightUpdateType = new ContainerType({
  version: VersionType,
  links: EpochLinksType,
  head: new ListCompositeType(CertifiedHeaderType, 1),
});

/** Above the longest encoding of an update in bytes. */
export const LIGHT_UPDATE_BYTES_MAX = LINKS_BYTES_MAX + HEADER_BYTES_MAX + CERTIFICATE_BYTES_MAX + 64;

/** The one binary form of an update. */
export const lightUpdateCodec: Codec<LightUpdate> = convertedCodec(LightUpdateType, {
  name: 'light update',
  bytesMax: LIGHT_UPDATE_BYTES_MAX,
  toWire: ({ links, head }) => ({
    version: FORMAT_VERSION,
    links: links.map(linkToWire),
    head: head === null ? [] : [certifiedHeaderToWire(head)],
  }),
  fromWire: ({ links, head: [head] }) => ({
    links: links.map(linkFromWire),
    head: head === undefined ? null : certifiedHeaderFromWire(head),
  }),
});
