/** What the pages read. The keys are what `useEvents` refreshes. */
import { queryOptions } from '@tanstack/react-query';
import { call, path } from './client';
import type {
  Action,
  Approver,
  AuditEvent,
  Blueprint,
  Entity,
  JsonObject,
  Person,
  Run,
  RunLog,
} from './types';

export interface PersonView {
  id: string;
  email: string;
  firstName: string;
  lastName: string;
}

export interface SavedView {
  id: string;
  title: string;
  shared: boolean;
  mine: boolean;
  state: JsonObject;
}

/** So many runs, or events of the audit log, are read at most. */
export const MOST = 500;

export const blueprintsQuery = queryOptions({
  queryKey: ['blueprints'],
  queryFn: () => call<{ blueprints: Blueprint[] }>('GET', '/v1/blueprints'),
  select: (found) => found.blueprints,
});

export const entitiesQuery = (blueprint: string) =>
  queryOptions({
    queryKey: ['entities', blueprint],
    queryFn: async () => {
      const url = path`/v1/blueprints/${blueprint}/entities`;
      return (await call<{ entities: Entity[] }>('GET', url)).entities;
    },
  });

export const fetchEntity = async (blueprint: string, identifier: string): Promise<Entity> => {
  const url = path`/v1/blueprints/${blueprint}/entities/${identifier}`;
  return (await call<{ entity: Entity }>('GET', url)).entity;
};

export const entityQuery = (blueprint: string, identifier: string) =>
  queryOptions({
    queryKey: ['entity', blueprint, identifier],
    queryFn: () => fetchEntity(blueprint, identifier),
  });

/** Entities that the given one refers to or that refer to it. */
export const relatedQuery = (blueprint: string, identifier: string) =>
  queryOptions({
    queryKey: ['related', blueprint, identifier],
    queryFn: async () => {
      const rule = { operator: 'relatedTo', blueprint, value: identifier };
      const search = (direction: string) =>
        call<{ entities: Entity[] }>('POST', '/v1/entities/search', {
          combinator: 'and',
          rules: [{ ...rule, direction }],
        });
      const [up, down] = await Promise.all([search('upstream'), search('downstream')]);
      return { upstream: up.entities, downstream: down.entities };
    },
  });

/** Self-service actions: all, those of a blueprint, or those for one entity. */
export const actionsQuery = (blueprint?: string, entity?: string) =>
  queryOptions({
    queryKey: ['actions', blueprint ?? null, entity ?? null],
    queryFn: async () => {
      const query = new URLSearchParams();
      if (blueprint !== undefined) query.set('blueprint', blueprint);
      if (entity !== undefined) query.set('entity', entity);
      const url = `/_sandbox/portal/actions?${query}`;
      return (await call<{ actions: Action[] }>('GET', url)).actions;
    },
  });

export interface RunFilter {
  entity?: string;
  blueprint?: string;
  user_id?: string;
  active?: string;
  limit?: string;
}

export const runsQuery = (filter: RunFilter) =>
  queryOptions({
    queryKey: ['runs', filter],
    queryFn: async () => {
      const query = new URLSearchParams({ version: 'v2', limit: String(MOST), exclude: 'payload' });
      for (const [name, value] of Object.entries(filter)) query.set(name, value as string);
      return (await call<{ runs: Run[] }>('GET', `/v1/actions/runs?${query}`)).runs;
    },
  });

export const runQuery = (id: string) =>
  queryOptions({
    queryKey: ['run', id],
    queryFn: async () =>
      (await call<{ run: Run }>('GET', path`/v1/actions/runs/${id}` + '?version=v2')).run,
  });

export const approversQuery = (id: string) =>
  queryOptions({
    queryKey: ['run', id, 'approvers'],
    queryFn: async () => {
      const url = path`/v1/actions/runs/${id}/approvers` + '?include_pending_approvers=true';
      return (await call<{ approvers: Approver[] }>('GET', url)).approvers;
    },
  });

/** All lines of a run's log; the server gives at most fifty at a time. */
export const logsQuery = (id: string) =>
  queryOptions({
    queryKey: ['logs', id],
    queryFn: async () => {
      const lines: RunLog[] = [];
      for (;;) {
        const url = path`/v1/actions/runs/${id}/logs` + `?limit=50&offset=${lines.length}`;
        const { runLogs } = await call<{ runLogs: RunLog[] }>('GET', url);
        lines.push(...runLogs);
        if (runLogs.length < 50) return lines;
      }
    },
  });

export interface AuditFilter {
  entity?: string;
  blueprint?: string;
  run_id?: string;
  resources?: string;
}

export const auditQuery = (filter: AuditFilter) =>
  queryOptions({
    queryKey: ['audit', filter],
    queryFn: async () => {
      const query = new URLSearchParams({ limit: String(MOST) });
      for (const [name, value] of Object.entries(filter)) query.set(name, value as string);
      return (await call<{ audits: AuditEvent[] }>('GET', `/v1/audit-log?${query}`)).audits;
    },
  });

/** An entity, and the run in whose name it was made or changed last. */
export interface Trace {
  blueprint: string;
  identifier: string;
  runId: string;
}

/** Who is behind the runs in whose name API clients write. */
export interface Traces {
  /** Id of the requester by run. */
  requesters: Record<string, string>;
  created: Trace[];
  changed: Trace[];
}

export const tracesQuery = queryOptions({
  queryKey: ['traces'],
  queryFn: () => call<Traces>('GET', '/_sandbox/portal/traces'),
});

export const usersQuery = queryOptions({
  queryKey: ['users'],
  queryFn: async () => (await call<{ users: PersonView[] }>('GET', '/v1/users')).users,
});

export const teamsQuery = queryOptions({
  queryKey: ['teams'],
  queryFn: async () => (await call<{ teams: { name: string }[] }>('GET', '/v1/teams')).teams,
});

export const viewsQuery = (blueprint: string) =>
  queryOptions({
    queryKey: ['views', blueprint],
    queryFn: async () => {
      const url = path`/_sandbox/portal/views/${blueprint}`;
      return (await call<{ views: SavedView[] }>('GET', url)).views;
    },
  });

export const peopleQuery = queryOptions({
  queryKey: ['people'],
  queryFn: () => call<{ people: Person[]; organization: string }>('GET', '/_sandbox/portal/people'),
});
