/** What differs between two documents. */
import type { JsonObject, JsonValue } from '../api/types';
import { isEmpty } from '../catalog/columns';

export interface Difference {
  /** `properties.owner`. */
  path: string;
  before: JsonValue | undefined;
  after: JsonValue | undefined;
  changed: boolean;
}

// Authorship changes with every event, whose own line already shows it.
const NOISE = new Set(['updatedAt', 'updatedBy', 'createdAt', 'createdBy']);
const DEEPEST = 3;

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Compares two values, and ignores the order of keys. */
export function equal(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => equal(item, b[index]));
  }
  if (isObject(a) && isObject(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...keys].every((key) => equal(a[key], b[key]));
  }
  return a === b;
}

function walk(
  path: string,
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  depth: number,
): Difference[] {
  const parts = [before, after].filter(isObject);
  const isBranch =
    parts.length > 0 &&
    [before, after].every((part) => isObject(part) || part === undefined || part === null);
  const keys = [...new Set(parts.flatMap((part) => Object.keys(part)))];
  if (!isBranch || depth >= DEEPEST || keys.length === 0) {
    return [{ path, before, after, changed: !equal(before, after) }];
  }
  return keys.flatMap((key) =>
    walk(
      path === '' ? key : `${path}.${key}`,
      isObject(before) ? before[key] : undefined,
      isObject(after) ? after[key] : undefined,
      depth + 1,
    ),
  );
}

/** Every field of two documents; null for one that is not there at all. */
export function differences(before: JsonObject | null, after: JsonObject | null): Difference[] {
  return walk('', before ?? {}, after ?? {}, 0).filter(
    ({ path, before: old, after: now }) =>
      path !== '' && !NOISE.has(path) && !(isEmpty(old) && isEmpty(now)),
  );
}
