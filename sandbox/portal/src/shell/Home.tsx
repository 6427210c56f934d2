import type { ReactNode } from 'react';
import { useQuery } from '@tanstack/react-query';
import { Navigate } from '@tanstack/react-router';
import { blueprintsQuery } from '../api/queries';
import { Failed, Loading } from '../common/states';
import { catalogLink } from '../links';

/** Goes to the first page of the catalogue. */
export function Home(): ReactNode {
  const blueprints = useQuery(blueprintsQuery);
  if (blueprints.isPending) return <Loading what="the catalogue" />;
  if (blueprints.isError) return <Failed error={blueprints.error} />;
  const names = blueprints.data.map(({ identifier }) => identifier);
  const own = names.filter((name) => !name.startsWith('_'));
  const first = own.includes('service') ? 'service' : (own[0] ?? '_user');
  return <Navigate {...catalogLink(first)} replace />;
}
