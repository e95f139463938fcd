import { type Address, bytesEqual, compareBytes } from '@nacre/base';
import type { Validator } from '@nacre/consensus';
import type { Member, Registry } from './set-kinds.ts';

/** Someone who has left stays in the registry until the last committee with it is over, so that evidence still reaches it. */
export function hasLeft({ weight }: Member): boolean {
  return weight === 0;
}

export function isQuarantined({ held }: Member): boolean {
  return held?.verdict === 'quarantined';
}

export function memberAt(registry: Registry, address: Address): Member | undefined {
  return registry.members.find((member) => bytesEqual(member.address, address));
}

/** With the member in the place of the one of its address, or added. */
export function withMember(registry: Registry, member: Member): Registry {
  const others = registry.members.filter(({ address }) => !bytesEqual(address, member.address));
  return { ...registry, members: [...others, member].sort((a, b) => compareBytes(a.address, b.address)) };
}

/** Who would be in a committee made of the registry now. */
export function servingMembers(registry: Registry): Validator[] {
  return registry.members
    .filter((member) => !hasLeft(member) && !isQuarantined(member))
    .map(({ address, publicKey, weight }) => ({ address, publicKey, weight }));
}
