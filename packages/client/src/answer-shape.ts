/**
 * Shapes of what nodes answer: each reads a JSON value or throws a `ShapeError`, which `readShape` turns into a value. Members
 * that a shape does not name are left alone, so that newer nodes may say more.
 */

import { fail, ok, type Result } from '@nacre/base';

export type Shape<Value> = (value: unknown, path: string) => Value;
export type ShapeOf<S> = S extends Shape<infer Value> ? Value : never;

class ShapeError extends Error {}

/** @returns the value, or where and how it differs */
export function readShape<Value>(shape: Shape<Value>, value: unknown): Result<Value, string> {
  try {
    return ok(shape(value, 'result'));
  } catch (error) {
    if (error instanceof ShapeError) return fail(error.message);
    throw error;
  }
}

function scalar<Value>(what: string, is: (value: unknown) => value is Value): Shape<Value> {
  return (value, path) => {
    if (is(value)) return value;
    throw new ShapeError(`${path} is not ${what}`);
  };
}

export const text = scalar('a text', (value): value is string => typeof value === 'string');
export const flag = scalar('true or false', (value): value is boolean => typeof value === 'boolean');
export const decimal = scalar('a number', (value): value is number => typeof value === 'number');
export const count = scalar('a count', (value): value is number => Number.isSafeInteger(value) && (value as number) >= 0);
export const anything: Shape<unknown> = (value) => value;

export function oneOf<const Name extends string>(...names: readonly Name[]): Shape<Name> {
  return scalar(`one of ${names.join(', ')}`, (value): value is Name => names.some((name) => name === value));
}

export function nullable<Value>(shape: Shape<Value>): Shape<Value | null> {
  return (value, path) => (value === null ? null : shape(value, path));
}

export function list<Value>(shape: Shape<Value>): Shape<readonly Value[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new ShapeError(`${path} is not a list`);
    return value.map((item, index) => shape(item, `${path}[${index}]`));
  };
}

/** Reads the members that are named, and gives the object as it came. */
export function object<Fields extends Readonly<Record<string, Shape<unknown>>>>(
  fields: Fields,
): Shape<{ readonly [Name in keyof Fields]: ShapeOf<Fields[Name]> }> {
  return (value, path) => {
    if (typeof value !== 'object' || value === null) throw new ShapeError(`${path} is not an object`);
    const given = value as Readonly<Record<string, unknown>>;
    for (const [name, shape] of Object.entries(fields)) shape(given[name], `${path}.${name}`);
    return value as { readonly [Name in keyof Fields]: ShapeOf<Fields[Name]> };
  };
}

/** One of several objects, told apart by one member. */
export function variant<Name extends string, Shapes extends Readonly<Record<string, Shape<unknown>>>>(
  name: Name,
  shapes: Shapes,
): Shape<{ [Kind in keyof Shapes]: { readonly [_ in Name]: Kind } & ShapeOf<Shapes[Kind]> }[keyof Shapes]> {
  const kind = object({ [name]: oneOf(...Object.keys(shapes)) });
  return (value, path) => {
    const chosen = (kind(value, path) as Readonly<Record<string, string>>)[name] as keyof Shapes;
    return (shapes[chosen] as Shape<unknown>)(value, path) as never;
  };
}
