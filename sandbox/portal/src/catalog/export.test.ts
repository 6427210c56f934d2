import { expect, it } from 'vitest';
import { makeBlueprint, makeEntity } from '../testing/make';
import { columnsOf } from './columns';
import { toCsv, toJson } from './export';

const columns = columnsOf(
  makeBlueprint({ note: { type: 'string', title: 'Note' }, count: { type: 'number' } }),
).filter(({ id }) => ['$title', 'note', 'count'].includes(id));

it('writes CSV with quotes where they are needed', () => {
  const csv = toCsv(columns, [makeEntity('a', { note: 'one, "two"\nthree', count: -2 })]);
  expect(csv).toBe('Title,Note,count\r\na,"one, ""two""\nthree",-2\r\n');
});

it.each(['=1+1', '+1', '@x', '-cmd'])('defuses the formula %s', (note) => {
  expect(toCsv(columns, [makeEntity('a', { note })])).toContain(`,'${note},`);
});

it('writes JSON by identifier, null for what is empty', () => {
  const [row] = JSON.parse(toJson(columns, [makeEntity('a', { note: 'x' })])) as unknown[];
  expect(row).toEqual({ $title: 'a', note: 'x', count: null });
});
