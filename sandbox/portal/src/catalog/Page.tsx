import type { ReactNode } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useParams, useSearch } from '@tanstack/react-router';
import { blueprintsQuery } from '../api/queries';
import { Empty, Failed, Loading } from '../common/states';
import { readPage } from '../links';
import { EntityPage } from '../entity/EntityPage';
import { asText } from '../common/asText';
import { CatalogPage } from './CatalogPage';

/** The page of a blueprint's entities, or of one entity: which one is in the address. */
export function Page(): ReactNode {
  const { page } = useParams({ from: '/$page' });
  const search = useSearch({ from: '/$page' });
  const blueprints = useQuery(blueprintsQuery);
  if (blueprints.isPending) return <Loading what="the catalogue" />;
  if (blueprints.isError)
    return <Failed page error={blueprints.error} retry={() => void blueprints.refetch()} />;
  const names = blueprints.data.map(({ identifier }) => identifier);
  const found = readPage(page, names);
  const blueprint = blueprints.data.find(({ identifier }) => identifier === found?.blueprint);
  if (found === null || blueprint === undefined) {
    return <Empty page title={`Page “${page}” not found`} />;
  }
  if (found.kind === 'entity') {
    const identifier = asText(search.identifier) ?? '';
    return <EntityPage key={identifier} blueprint={blueprint} identifier={identifier} />;
  }
  return <CatalogPage key={blueprint.identifier} blueprint={blueprint} />;
}
