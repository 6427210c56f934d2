import { useQueries, useQuery } from '@tanstack/react-query';
import { approversQuery, entitiesQuery, runsQuery } from '../api/queries';
import { useMe } from '../session/session';
import { BLUEPRINT, undecidable } from './refusal';

/** How many requests and runs wait for this person's decision. */
export function useWaiting(isInstalled: boolean): number {
  const me = useMe();
  const requests = useQuery({ ...entitiesQuery(BLUEPRINT), enabled: isInstalled });
  const runs = useQuery(runsQuery({ active: 'true' }));
  const waiting = runs.data?.filter(({ status }) => status === 'WAITING_FOR_APPROVAL') ?? [];
  const asked = useQueries({ queries: waiting.map(({ id }) => approversQuery(id)) });
  return (
    (requests.data ?? []).filter((request) => undecidable(request, me) === null).length +
    asked.filter(({ data }) =>
      data?.some(({ userId, state }) => userId === me.id && state === 'PENDING'),
    ).length
  );
}
