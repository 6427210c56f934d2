/** Reading and writing values as JSON or YAML text. */
import { isCollection, parseDocument, stringify, visit } from 'yaml';
import type { JsonValue } from '../api/types';

export type Format = 'json' | 'yaml';

export interface Fault {
  /** Where it is in the text. */
  from: number;
  to: number;
  message: string;
}

export type Parsed = { ok: true; value: JsonValue } | { ok: false; faults: Fault[] };

const exact = (source: string) =>
  !/^[-+]?\d+$/.test(source) || Number.isSafeInteger(Number(source));

/** Integers that JavaScript would change: they must not reach the server as something else. */
function inexact(text: string): Fault[] {
  const faults: Fault[] = [];
  // A string is matched first, so that its digits do not count as a number.
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+(?![\d.eE])/g)) {
    const [source] = match;
    if (!source.startsWith('"') && !exact(source) && !/[.\deE]/.test(text[match.index - 1] ?? '')) {
      const to = match.index + source.length;
      const message = `${source} is too large to be sent exactly; write it in quotes`;
      faults.push({ from: match.index, to, message });
    }
  }
  return faults;
}

function parseJson(text: string): Parsed {
  try {
    const value = JSON.parse(text) as JsonValue;
    const faults = inexact(text);
    return faults.length > 0 ? { ok: false, faults } : { ok: true, value };
  } catch (error) {
    const message = (error as Error).message;
    const place = /position (\d+)/.exec(message)?.[1];
    const from = Math.min(place === undefined ? text.length : Number(place), text.length);
    return { ok: false, faults: [{ from, to: Math.min(from + 1, text.length), message }] };
  }
}

function parseYaml(text: string): Parsed {
  const document = parseDocument(text, { prettyErrors: false });
  const faults = document.errors.map(({ pos: [from, to], message }) => ({ from, to, message }));
  visit(document, {
    Pair: (_, { key }) => {
      // JSON, as which it goes on, has only text for keys.
      if (isCollection(key)) {
        const [from, to] = key.range ?? [0, 0];
        faults.push({ from, to, message: 'A key must be text, not a list or a map' });
      }
    },
    Scalar: (_, { source, range, type }) => {
      if (type === 'PLAIN' && source !== undefined && !exact(source)) {
        const message = `${source} is too large to be sent exactly; write it in quotes`;
        faults.push({ from: range?.[0] ?? 0, to: range?.[1] ?? 0, message });
      }
    },
  });
  if (faults.length > 0) return { ok: false, faults };
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: 100 }) as JsonValue };
  } catch (error) {
    return { ok: false, faults: [{ from: 0, to: text.length, message: (error as Error).message }] };
  }
}

/** The value of a text. Nothing at all is null in YAML, and a fault in JSON. */
export function parse(text: string, format: Format): Parsed {
  return format === 'json' ? parseJson(text) : parseYaml(text);
}

export function write(value: JsonValue | undefined, format: Format): string {
  if (value === undefined) return '';
  return format === 'json' ? JSON.stringify(value, null, 2) : stringify(value, { lineWidth: 0 });
}
