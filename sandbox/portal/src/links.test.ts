import { expect, it } from 'vitest';
import { readPage, safeUrl } from './links';

it('reads which page an address names', () => {
  const known = ['service', 'approval_request', '_user'];
  expect(readPage('services', known)).toEqual({ kind: 'catalog', blueprint: 'service' });
  expect(readPage('serviceEntity', known)).toEqual({ kind: 'entity', blueprint: 'service' });
  expect(readPage('_users', known)).toEqual({ kind: 'catalog', blueprint: '_user' });
  expect(readPage('nothing', known)).toBeNull();
});

it.each(['javascript:alert(1)', 'data:text/html,x', ' javascript:alert(1)', 'file:///etc', 'x', 5])(
  'makes no link of %s',
  (text) => expect(safeUrl(text)).toBeUndefined(),
);

it('makes a link of a web address', () => expect(safeUrl('https://a.example/x')).toBeDefined());
