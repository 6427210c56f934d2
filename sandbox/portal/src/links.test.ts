import { expect, it } from 'vitest';
import { issueSearch, linkTitle, readPage, safeUrl } from './links';

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

it.each([
  ['https://github.example/acme/services/pull/7', 'Pull request #7'],
  ['https://github.example/acme/services/issues/12', 'Issue #12'],
  ['https://github.example/acme/services/actions/runs/3', 'Workflow run'],
  ['https://port.example/approval_requestEntity?identifier=r_1.1', 'Approval request'],
  ['https://port.example/organization/run?runId=r_1', 'Run r_1'],
  ['https://wiki.example/checkout', 'wiki.example/checkout'],
])('says what %s leads to', (url, title) => expect(linkTitle(url)).toBe(title));

it('finds the issue of a service in the repository of its pull request', () => {
  expect(issueSearch('shop', 'https://github.example/acme/services/pull/7')).toBe(
    'https://github.example/acme/services/issues?q=is%3Aopen+label%3Aremediation+shop',
  );
  expect(issueSearch('shop', 'javascript:alert(1)/pull/7')).toBeUndefined();
  expect(issueSearch('shop', null)).toBeUndefined();
});
