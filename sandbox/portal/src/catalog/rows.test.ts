import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../api/types';
import { makeBlueprint, makeEntity } from '../testing/make';
import { columnsOf } from './columns';
import type { Rule } from './rows';
import { compare, filter, operatorsOf, search } from './rows';

const blueprint = makeBlueprint({
  owner: { type: 'string' },
  replicas: { type: 'number' },
  health: { type: 'string', enum: ['Pending', 'Healthy', 'Degraded'] },
  tags: { type: 'array', items: { type: 'string' } },
  checked: { type: 'string', format: 'date-time' },
});
const columns = columnsOf(blueprint);
const column = (id: string) => {
  const found = columns.find((each) => each.id === id);
  if (found === undefined) throw new Error(id);
  return found;
};
const entities = [
  makeEntity('orders-api', { owner: 'Dana', replicas: 2, health: 'Healthy', tags: ['web', 'eu'] }),
  makeEntity('mail-job', { owner: 'Noa', replicas: 10, health: 'Degraded' }),
  makeEntity('search', { replicas: 1, health: 'Pending', checked: '2026-03-01T00:00:00Z' }),
];
const names = (rules: Omit<Rule, 'column'> & { column: string }) =>
  filter(entities, columns, [rules]).map(({ identifier }) => identifier);

describe('search', () => {
  const found = (text: string) => search(entities, text).map(({ identifier }) => identifier);

  it('finds every word, in any property, in any case', () => {
    expect(found('DANA orders')).toEqual(['orders-api']);
    expect(found('dana mail')).toEqual([]);
  });

  it('finds what is within lists', () => expect(found('eu')).toEqual(['orders-api']));

  it('gives the same list for no words', () => expect(search(entities, '  ')).toBe(entities));

  it('takes signs for signs', () => expect(found('.*')).toEqual([]));
});

describe('filter', () => {
  it.each<[string, Rule['operator'], string[], string[]]>([
    ['owner', 'is', ['dana'], ['orders-api']],
    ['owner', 'is', ['Dana', 'Noa'], ['orders-api', 'mail-job']],
    ['owner', 'is not', ['Dana'], ['mail-job', 'search']],
    ['owner', 'contains', ['an'], ['orders-api']],
    ['owner', 'does not contain', ['an'], ['mail-job', 'search']],
    ['owner', 'is empty', [], ['search']],
    ['owner', 'is not empty', [], ['orders-api', 'mail-job']],
    ['replicas', '>', ['1'], ['orders-api', 'mail-job']],
    ['replicas', '<', ['10'], ['orders-api', 'search']],
    ['tags', 'is', ['eu'], ['orders-api']],
    ['checked', '>', ['2026-02-01T00:00'], ['search']],
    ['owner', 'is', [], ['orders-api', 'mail-job', 'search']],
  ])('%s %s %j', (id, operator, values, expected) => {
    expect(names({ column: id, operator, values })).toEqual(expected);
  });

  it('wants all rules to fit', () => {
    const rules: Rule[] = [
      { column: 'replicas', operator: '>', values: ['1'] },
      { column: 'health', operator: 'is', values: ['Degraded'] },
    ];
    expect(filter(entities, columns, rules).map(({ identifier }) => identifier)).toEqual([
      'mail-job',
    ]);
  });

  it('leaves out a rule about a column that is gone', () => {
    expect(filter(entities, columns, [{ column: 'gone', operator: 'is', values: ['x'] }])).toBe(
      entities,
    );
  });
});

describe('compare', () => {
  const sorted = (id: string, values: JsonValue[]) =>
    values.toSorted((a, b) => compare(column(id), a, b));

  it('orders an enum as it is written, and unknown values behind', () => {
    expect(sorted('health', ['Gone', 'Degraded', 'Pending', 'Healthy'])).toEqual([
      'Pending',
      'Healthy',
      'Degraded',
      'Gone',
    ]);
  });

  it('orders numbers by size', () => expect(sorted('replicas', [10, 9, 1])).toEqual([1, 9, 10]));

  it('orders digits within text by size', () => {
    expect(sorted('owner', ['team-10', 'Team-9', 'team-1'])).toEqual([
      'team-1',
      'Team-9',
      'team-10',
    ]);
  });
});

it('offers the operators that fit a column', () => {
  expect(operatorsOf(column('replicas'))).toContain('>');
  expect(operatorsOf(column('health'))).not.toContain('contains');
  expect(operatorsOf(column('owner'))).not.toContain('<');
});
