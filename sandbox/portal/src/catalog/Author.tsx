import { useQuery } from '@tanstack/react-query';
import type { PersonView } from '../api/queries';
import { tracesQuery, usersQuery } from '../api/queries';
import type { Entity } from '../api/types';

export const fullName = ({ firstName, lastName }: PersonView) => `${firstName} ${lastName}`.trim();

interface Props {
  /** Who did it: a person's id, or that of an API client. */
  id: string | null | undefined;
  /** The run in whose name it was done: its requester is the person behind an API client. */
  run?: string | null;
}

/** Who did something, by name. */
export function Author({ id, run }: Props) {
  const users = useQuery(usersQuery);
  const traces = useQuery({ ...tracesQuery, enabled: Boolean(run) });
  if (id === null || id === undefined || users.isPending) return null;
  const find = (wanted: string | undefined) => users.data?.find((user) => user.id === wanted);
  const user = find(id);
  if (user !== undefined) return <span title={user.email}>{fullName(user)}</span>;
  const requester = find(traces.data?.requesters[run ?? '']);
  if (requester !== undefined) {
    return (
      <span title={`API client ${id}, for ${requester.email}`}>{fullName(requester)} (API)</span>
    );
  }
  return <span title={id}>{id.startsWith('auth0|') ? 'Unknown person' : 'API client'}</span>;
}

/** Who made an entity, or changed it last. */
export function EntityAuthor({ id, entity, column }: Props & { entity?: Entity; column: string }) {
  const traces = useQuery({ ...tracesQuery, enabled: entity !== undefined });
  const known = column === '$createdBy' ? traces.data?.created : traces.data?.changed;
  const trace = known?.find(
    ({ blueprint, identifier }) =>
      blueprint === entity?.blueprint && identifier === entity.identifier,
  );
  return <Author id={id} run={trace?.runId} />;
}
