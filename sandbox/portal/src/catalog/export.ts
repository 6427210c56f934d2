/** The shown entities as files. */
import type { Entity } from '../api/types';
import type { Column } from './columns';
import { textOf } from './columns';

// A spreadsheet takes a cell that begins so for a formula, and would execute it.
const FORMULA = /^[=+\-@\t\r]/;

function cell(text: string): string {
  const safe = FORMULA.test(text) && !/^-?[\d.]+$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** CSV as RFC 4180 has it, with a line of titles. */
export function toCsv(columns: Column[], entities: Entity[]): string {
  const lines = [
    columns.map(({ title }) => cell(title)),
    ...entities.map((entity) => columns.map((column) => cell(textOf(column.value(entity))))),
  ];
  return lines.map((line) => `${line.join(',')}\r\n`).join('');
}

/** JSON: an array of objects, by the columns' identifiers. */
export function toJson(columns: Column[], entities: Entity[]): string {
  const rows = entities.map((entity) =>
    Object.fromEntries(columns.map((column) => [column.id, column.value(entity) ?? null])),
  );
  return JSON.stringify(rows, null, 2);
}

export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
