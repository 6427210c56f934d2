import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { tracesQuery } from '../api/queries';
import type { Run } from '../api/types';
import { entityLink } from '../links';

/** The entity that a run is for, or that it created. */
export function RunEntity({ run, none = '' }: { run: Run; none?: string }) {
  const traces = useQuery({ ...tracesQuery, enabled: run.entity === undefined });
  const { entity, blueprint } = run;
  if (entity !== undefined) {
    const name = entity.title ?? entity.identifier;
    if (entity.deleted || blueprint === undefined) return name;
    return <Link {...entityLink(blueprint.identifier, entity.identifier)}>{name}</Link>;
  }
  const made = traces.data?.created.find(({ runId }) => runId === run.id);
  if (made === undefined) return none;
  return <Link {...entityLink(made.blueprint, made.identifier)}>{made.identifier}</Link>;
}
