import { expect, it } from 'vitest';
import type { Me } from '../api/types';
import { makeEntity } from '../testing/make';
import { undecidable } from './refusal';

const me: Me = {
  id: 'auth0|1',
  email: 'dana@acme.example',
  name: 'Dana',
  roles: ['Member'],
  teamsIdentifiers: ['payments'],
};
const request = { status: 'Pending', requested_by: 'noa@acme.example' };

it.each([
  [{ approvers: ['Dana@acme.example'] }, null],
  [{ approvers: ['team payments'] }, null],
  [{}, null],
  [{ approvers: ['team pay'] }, 'To be decided by team pay.'],
  [{ requested_by: me.email }, 'You requested this change, so another person must decide.'],
  [{ decided_by: `kim@acme.example, ${me.email}` }, 'You already decided on this request.'],
  [{ status: 'Expired' }, 'This request is not pending any more: Expired.'],
])('says why a person does not decide: %j', (properties, reason) => {
  expect(undecidable(makeEntity('a', { ...request, ...properties }), me)).toBe(reason);
});
