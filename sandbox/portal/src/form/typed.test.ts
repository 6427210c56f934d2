import { expect, it } from 'vitest';
import { typedIn } from './typed';

it('notes what was changed, and only that', () => {
  expect(typedIn({ a: 1, b: { c: 2 } }, { a: 3, b: { c: 2 } }, {})).toEqual({ a: 3 });
});

it('notes what was cleared, so that its default does not come back', () => {
  const typed = typedIn({ a: 1 }, {}, { z: 1 });
  expect(typed).toEqual({ z: 1, a: undefined });
  expect('a' in typed).toBe(true);
});
