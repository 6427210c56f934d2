/** Who may decide on a request of Slipway's approvals. */
import type { Action, Entity, Me } from '../api/types';
import { textOf } from '../catalog/columns';

export const BLUEPRINT = 'approval_request';
export const DECIDE = 'decide_approval';
export const PENDING = 'Pending';

export const statusOf = (request: Entity) => textOf(request.properties.status);

function approversOf({ properties: { approvers } }: Entity): string[] {
  return Array.isArray(approvers) ? approvers.map(textOf) : [];
}

/** Why this person does not decide on a request; null if they may. */
export function undecidable(request: Entity, me: Me): string | null {
  const status = statusOf(request);
  if (status !== PENDING) return `This request is not pending any more: ${status}.`;
  const isMe = (email: string) => email.toLowerCase() === me.email.toLowerCase();
  if (isMe(textOf(request.properties.requested_by))) {
    return 'You requested this change, so another person must decide.';
  }
  if (textOf(request.properties.decided_by).split(', ').some(isMe)) {
    return 'You already decided on this request.';
  }
  const approvers = approversOf(request);
  const isAsked = approvers.some(
    (approver) => isMe(approver) || me.teamsIdentifiers.some((team) => approver === `team ${team}`),
  );
  if (approvers.length > 0 && !isAsked) return `To be decided by ${approvers.join(', ')}.`;
  return null;
}

/** Why this person does not execute an action for an entity; null if they may. */
export function refusalOf(action: Action, entity: Entity, me: Me): string | null {
  if (action.refusal !== null) return action.refusal;
  return action.identifier === DECIDE && entity.blueprint === BLUEPRINT
    ? undecidable(entity, me)
    : null;
}
