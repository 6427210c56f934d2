import { expect, it } from 'vitest';
import { parseView } from './view';

it('reads a whole view', () => {
  const view = {
    view: 'view_1',
    q: 'dana',
    group: ['owner', 'team'],
    sort: [{ id: 'ttl', desc: true }],
    filter: [{ column: 'owner', operator: 'is', values: ['Dana'] }],
    hide: ['ttl'],
  };
  expect(parseView(view)).toEqual(view);
});

it('reads nothing hidden as something else than what is hidden at first', () => {
  expect(parseView({ hide: [] }).hide).toEqual([]);
  expect(parseView({}).hide).toBeUndefined();
});

it('reads a search for a number', () => expect(parseView({ q: 42 }).q).toBe('42'));

it.each([
  { group: 'owner' },
  { group: [1] },
  { sort: [{ id: 1 }] },
  { sort: {} },
  { filter: [{ column: 'a', operator: 'eval' }] },
  { filter: [null] },
  { q: { a: 1 } },
])('ignores invalid parts of a view: %j', (given) => {
  expect(Object.values(parseView(given)).every((part) => part === undefined)).toBe(true);
});
