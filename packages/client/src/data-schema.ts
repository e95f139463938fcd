/** A named, versioned shape of a service's data, as programs know it. */
export interface DataSchema<Data> {
  /** Up to 64 lower-case letters, digits and `. _ / -`. */
  readonly name: string;
  /** From 1 on. */
  readonly version: number;
  /** Reads a payload of this version, or throws. Any validation library will do. */
  readonly parse: (payload: unknown) => Data;
  /** How payloads of other versions become data of this one: old versions, and newer ones that this program can still read. */
  readonly upgrades?: Readonly<Record<number, (payload: unknown) => Data>>;
}

/** @returns `name@version` */
export function schemaText({ name, version }: Pick<DataSchema<unknown>, 'name' | 'version'>): string {
  return `${name}@${version}`;
}

/** @returns how to read a payload of `schema` (`name@version`); `other` for another name; undefined for a version that cannot be read */
export function readerFor<Data>(schema: DataSchema<Data>, written: string): ((payload: unknown) => Data) | 'other' | undefined {
  const [name, version] = written.split('@');
  if (name !== schema.name) return 'other';
  return Number(version) === schema.version ? schema.parse : schema.upgrades?.[Number(version)];
}
