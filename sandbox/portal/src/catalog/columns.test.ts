import { describe, expect, it } from 'vitest';
import { makeBlueprint, makeEntity } from '../testing/make';
import { columnsOf, hiddenAtFirst, isEmpty, textOf } from './columns';

describe('columnsOf', () => {
  it('begins with the title and ends with links', () => {
    const columns = columnsOf(
      makeBlueprint({ url: { type: 'string', format: 'url' }, owner: { type: 'string' } }),
    );
    expect(columns[0]?.id).toBe('$title');
    expect(columns.at(-1)?.id).toBe('url');
  });

  it('follows the order of the page that the sandbox has for services', () => {
    const blueprint = makeBlueprint(
      { environment: { type: 'string' }, ttl: { type: 'number' }, owner: { type: 'string' } },
      { identifier: 'service' },
    );
    const ids = columnsOf(blueprint).map(({ id }) => id);
    expect(ids.slice(0, 5)).toEqual(['$title', 'owner', 'environment', '$updatedAt', 'ttl']);
  });

  it('takes kind, values and colours from the definition', () => {
    const blueprint = makeBlueprint({
      health: { type: 'string', enum: ['Healthy', 'Degraded'], enumColors: { Healthy: 'green' } },
      at: { type: 'string', format: 'date-time' },
      tags: { type: 'array', items: { type: 'string', enum: ['a'] } },
      values: { type: 'object' },
    });
    const found = Object.fromEntries(columnsOf(blueprint).map((column) => [column.id, column]));
    expect(found.health).toMatchObject({
      kind: 'enum',
      values: ['Healthy', 'Degraded'],
      colors: { Healthy: 'green' },
    });
    expect(found.at?.kind).toBe('date');
    expect(found.tags).toMatchObject({ kind: 'enum', many: true });
    expect(found.values?.kind).toBe('json');
  });

  it('has relations, calculations and mirrors', () => {
    const blueprint = makeBlueprint(
      {},
      {
        relations: { system: { title: 'System', target: 'system' } },
        calculationProperties: { cost: { type: 'number', title: 'Cost' } },
        mirrorProperties: { region: { title: 'Region', path: 'system.region' } },
      },
    );
    const ids = columnsOf(blueprint).map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['relations.system', 'cost', 'region']));
  });

  it('keeps three hundred columns', () => {
    const many = Array.from({ length: 300 }, (_, at) => `p${at}`);
    expect(
      columnsOf(
        makeBlueprint(Object.fromEntries(many.map((id) => [id, { type: 'string' as const }]))),
      ).length,
    ).toBeGreaterThan(300);
  });

  it('calls an entity without a title by its identifier', () => {
    const [title] = columnsOf(makeBlueprint({}));
    expect(title?.value({ ...makeEntity('a'), title: null })).toBe('a');
  });
});

it('hides at first what is for machines', () => {
  expect(hiddenAtFirst('service')).toEqual(expect.arrayContaining(['$identifier', 'namespace']));
  expect(hiddenAtFirst('thing')).not.toContain('namespace');
});

it('writes values as text', () => {
  expect(textOf(['a', 'b'])).toBe('a, b');
  expect(textOf({ a: 1 })).toBe('{"a":1}');
  expect(textOf(false)).toBe('false');
  expect(textOf(0)).toBe('0');
  expect(textOf(null)).toBe('');
});

it('takes no value and an empty list for empty, but not zero and false', () => {
  expect([undefined, null, '', []].every(isEmpty)).toBe(true);
  expect([0, false, 'a'].some(isEmpty)).toBe(false);
});
