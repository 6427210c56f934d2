// @vitest-environment happy-dom
import { useTable } from '@tanstack/react-table';
import { renderHook } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Entity } from '../api/types';
import { makeBlueprint, makeEntity } from '../testing/make';
import { columnsOf } from './columns';
import type { EntityRow } from './table';
import { canGroup, countOf, features, sortingWith, tableColumns } from './table';

const blueprint = makeBlueprint({
  owner: { type: 'string' },
  team: { type: 'string' },
  environment: { type: 'string', enum: ['Test', 'Staging', 'Production'] },
  replicas: { type: 'number' },
});
const columns = tableColumns(columnsOf(blueprint));
const entities = [
  makeEntity('a', { owner: 'Noa', team: 'mail', environment: 'Production', replicas: 3 }),
  makeEntity('b', { owner: 'Dana', team: 'web', environment: 'Test', replicas: 10 }),
  makeEntity('c', { owner: 'Dana', team: 'web', environment: 'Production' }),
  makeEntity('d', { owner: 'Dana', team: 'mail', environment: 'Staging', replicas: 9 }),
  makeEntity('e', { team: 'mail', environment: 'Test', replicas: 1 }),
];

interface Shape {
  grouping?: string[];
  sorting?: { id: string; desc: boolean }[];
  data?: Entity[];
}

function rowsOf({ grouping = [], sorting = [], data = entities }: Shape): EntityRow[] {
  const { result } = renderHook(() =>
    useTable({
      features,
      columns,
      data,
      getRowId: ({ identifier }) => identifier,
      state: { grouping, sorting: sortingWith(sorting, grouping), expanded: true },
    }),
  );
  return result.current.getRowModel().rows;
}

const outline = (rows: EntityRow[]) =>
  rows.map((row) =>
    row.getIsGrouped()
      ? `${'  '.repeat(row.depth)}${String(row.groupingValue)} (${countOf(row)})`
      : `${'  '.repeat(row.depth)}${row.original.identifier}`,
  );

describe('groups', () => {
  it('are nested, sorted by name, and know how many entities they have', () => {
    expect(outline(rowsOf({ grouping: ['owner', 'team'] }))).toEqual([
      'Dana (3)',
      '  mail (1)',
      '    d',
      '  web (2)',
      '    b',
      '    c',
      'Noa (1)',
      '  mail (1)',
      '    a',
      ' (1)',
      '  mail (1)',
      '    e',
    ]);
  });

  it('stand in the order of an enum, or backwards if one sorts so', () => {
    const names = (desc: boolean) =>
      outline(rowsOf({ grouping: ['environment'], sorting: [{ id: 'environment', desc }] })).filter(
        (line) => line.includes('('),
      );
    expect(names(false)).toEqual(['Test (2)', 'Staging (1)', 'Production (2)']);
    expect(names(true)).toEqual(['Production (2)', 'Staging (1)', 'Test (2)']);
  });

  it('have their entities sorted within', () => {
    const rows = rowsOf({ grouping: ['owner'], sorting: [{ id: 'replicas', desc: true }] });
    expect(outline(rows).slice(0, 4)).toEqual(['Dana (3)', '  b', '  d', '  c']);
  });
});

describe('sorting', () => {
  it('takes several columns', () => {
    const sorting = [
      { id: 'environment', desc: false },
      { id: '$title', desc: true },
    ];
    expect(outline(rowsOf({ sorting }))).toEqual(['e', 'b', 'd', 'c', 'a']);
  });

  it.each([false, true])('puts what is empty last, downwards or not', (desc) => {
    expect(outline(rowsOf({ sorting: [{ id: 'replicas', desc }] })).at(-1)).toBe('c');
  });
});

it('groups twenty times as many entities at about twenty times the cost', () => {
  const processorTime = (count: number) => {
    const data = Array.from({ length: count }, (_, at) =>
      makeEntity(`e${at}`, { owner: `o${at % 7}`, team: `t${at % 11}`, replicas: at % 13 }),
    );
    const times = [1, 2, 3].map(() => {
      const before = process.cpuUsage();
      const rows = rowsOf({
        data,
        grouping: ['owner', 'team'],
        sorting: [{ id: 'replicas', desc: true }],
      });
      expect(rows).toHaveLength(count + 7 + 77);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    });
    return Math.min(...times);
  };

  const [few, many] = [processorTime(500), processorTime(10_000)];

  // A cost that grows with the square of the number would be 400 times as high.
  expect(many / few).toBeLessThan(120);
});

it('cannot group by lists and objects', () => {
  const found = columnsOf(makeBlueprint({ list: { type: 'array' }, map: { type: 'object' } }));
  const usable = found.filter(canGroup).map(({ id }) => id);
  expect(usable).not.toContain('list');
  expect(usable).not.toContain('map');
});
