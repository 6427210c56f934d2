import { describe, expect, it } from 'vitest';
import { differences, equal } from './diff';

describe('differences', () => {
  it('names the fields by their path', () => {
    const before = { title: 'a', properties: { owner: 'Dana', ttl: 7 }, updatedAt: '1' };
    const after = { title: 'a', properties: { owner: 'Noa', ttl: 7 }, updatedAt: '2' };
    expect(differences(before, after).filter(({ changed }) => changed)).toEqual([
      { path: 'properties.owner', before: 'Dana', after: 'Noa', changed: true },
    ]);
  });

  it('shows everything of what is new or gone', () => {
    const entity = { title: 'a', properties: { owner: 'Dana' } };
    expect(
      differences(null, entity).every(({ before, changed }) => before === undefined && changed),
    ).toBe(true);
    expect(differences(entity, null).map(({ path }) => path)).toEqual([
      'title',
      'properties.owner',
    ]);
  });

  it('leaves out what was empty and is', () => {
    expect(differences({ icon: null }, { icon: null })).toEqual([]);
  });

  it('shows an object that takes the place of a text', () => {
    expect(differences({ a: 'x' }, { a: { b: 1 } })).toEqual([
      { path: 'a', before: 'x', after: { b: 1 }, changed: true },
    ]);
  });
});

it('ignores the order of keys', () => {
  expect(equal({ a: 1, b: [1, { c: 2 }] }, { b: [1, { c: 2 }], a: 1 })).toBe(true);
  expect(equal([1, 2], [2, 1])).toBe(false);
  expect(equal({ a: undefined as never }, {})).toBe(true);
});
