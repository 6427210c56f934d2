/** What the user typed into a form, apart from defaults. */
import type { JsonObject, JsonValue } from '../api/types';
import { equal } from '../audit/diff';

/** By input; undefined for one that was cleared. */
export type Typed = Record<string, JsonValue | undefined>;

/** Without what was cleared. */
export const defined = (typed: Typed): JsonObject =>
  Object.fromEntries(
    Object.entries(typed).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined),
  );

/** What was typed by now: `after` is what the form gives, `before` what it showed. */
export function typedIn(before: JsonObject, after: Typed, typed: Typed): Typed {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changed = [...names].filter((name) => !equal(before[name], after[name]));
  return { ...typed, ...Object.fromEntries(changed.map((name) => [name, after[name]])) };
}
