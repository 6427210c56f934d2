/** How a page is looked at: kept in its address, and under a name by the server. */
import { asText } from '../common/asText';
import type { Rule } from './rows';
import { OPERATORS } from './rows';

export interface View {
  /** The identifier of the saved view that this began as. */
  view?: string;
  q?: string;
  group?: string[];
  sort?: { id: string; desc: boolean }[];
  filter?: Rule[];
  /** The columns that are hidden; what is hidden at first, if it is not there. */
  hide?: string[];
}

const strings = (value: unknown): string[] | undefined =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')
    ? value
    : undefined;

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

function list<T>(value: unknown, read: (item: Record<string, unknown>) => T | null) {
  if (!Array.isArray(value)) return undefined;
  const found = value.map((item) => read(record(item))).filter((item) => item !== null);
  return found.length === 0 ? undefined : found;
}

/** Reads a view from an address or the server, and ignores its invalid parts. */
export function parseView(given: Record<string, unknown>): View {
  const hide = Array.isArray(given.hide) ? (strings(given.hide) ?? []) : undefined;
  return {
    view: typeof given.view === 'string' ? given.view : undefined,
    // A search for digits alone arrives as a number.
    q: asText(given.q) || undefined,
    group: strings(given.group),
    sort: list(given.sort, ({ id, desc }) =>
      typeof id === 'string' ? { id, desc: desc === true } : null,
    ),
    filter: list(given.filter, ({ column, operator, values }) => {
      const known = OPERATORS.find((each) => each === operator);
      if (typeof column !== 'string' || known === undefined) return null;
      return { column, operator: known, values: strings(values) ?? [] };
    }),
    hide,
  };
}
