import { expect, it } from 'vitest';
import { duration, relative } from './time';

it('says how long ago or until when', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  expect(relative('2026-01-01T22:00:00Z', now)).toBe('2 hours ago');
  expect(relative('2026-01-04T00:00:00Z', now)).toBe('in 2 days');
  expect(relative('never', now)).toBe('never');
});

it.each([
  ['2026-01-01T00:00:00Z', '0 s'],
  ['2026-01-01T00:00:59Z', '59 s'],
  ['2026-01-01T00:01:05Z', '1 min 5 s'],
  ['2026-01-01T02:00:05Z', '2 h 5 s'],
  ['2026-01-03T03:00:00Z', '2 d 3 h'],
  ['2025-12-31T00:00:00Z', '0 s'],
])('says how long something took until %s', (to, text) => {
  expect(duration('2026-01-01T00:00:00Z', to)).toBe(text);
});
