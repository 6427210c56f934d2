/** What happens on the server, as it happens: keeps what was read up to date. */
import type { QueryClient } from '@tanstack/react-query';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { ApiError } from './client';
import { entitiesQuery, fetchEntity, logsQuery } from './queries';
import type { Entity, RunLog } from './types';

export interface Change {
  resource: 'blueprint' | 'entity' | 'run' | 'action';
  action: 'CREATE' | 'UPDATE' | 'DELETE';
  blueprint: string | null;
  identifier: string | null;
}

/** Up to this many changed entities are fetched one by one; for more, the whole list is read again. */
const FEW = 20;
/** Changes often come in groups: those within this many milliseconds are handled together. */
const TOGETHER = 150;

/** Updates a list of entities by identifier; null removes one. The order stays. */
export function patched(list: Entity[], news: Map<string, Entity | null>): Entity[] {
  const rest = new Map(news);
  const kept = list.flatMap((entity) => {
    const found = rest.get(entity.identifier);
    if (found === undefined) return [entity];
    rest.delete(entity.identifier);
    return found === null ? [] : [found];
  });
  return [...kept, ...[...rest.values()].filter((entity) => entity !== null)];
}

type Latest = Map<string, Change['action']>;

async function refreshEntities(client: QueryClient, blueprint: string, latest: Latest) {
  const { queryKey } = entitiesQuery(blueprint);
  for (const id of latest.keys())
    void client.invalidateQueries({ queryKey: ['entity', blueprint, id] });
  void client.invalidateQueries({ queryKey: ['related'] });
  if (client.getQueryData(queryKey) === undefined) return;
  if (latest.size > FEW) {
    await client.invalidateQueries({ queryKey });
    return;
  }
  const found = await Promise.all(
    [...latest].map(async ([id, action]): Promise<[string, Entity | null]> => {
      if (action === 'DELETE') return [id, null];
      try {
        return [id, await fetchEntity(blueprint, id)];
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return [id, null];
        throw error;
      }
    }),
  );
  client.setQueryData(queryKey, (list) => list && patched(list, new Map(found)));
}

/** Refreshes the queries that the changes affect. */
export async function refresh(client: QueryClient, changes: Change[]): Promise<void> {
  const entities = new Map<string, Latest>();
  const stale = new Set<string>(['audit', 'traces']);
  for (const { resource, action, blueprint, identifier } of changes) {
    if (resource === 'entity' && blueprint !== null && identifier !== null) {
      const latest: Latest = entities.get(blueprint) ?? new Map<string, Change['action']>();
      entities.set(blueprint, latest.set(identifier, action));
      stale.add('actions');
      if (blueprint === '_user') stale.add('users').add('people');
      if (blueprint === '_team') stale.add('teams');
    } else if (resource === 'run') {
      stale.add('runs');
      if (identifier !== null) {
        void client.invalidateQueries({ queryKey: ['run', identifier] });
      }
    } else {
      stale.add('blueprints').add('actions');
    }
  }
  for (const key of stale) void client.invalidateQueries({ queryKey: [key] });
  await Promise.all([...entities].map(([name, latest]) => refreshEntities(client, name, latest)));
}

function addLine(client: QueryClient, line: RunLog): void {
  client.setQueryData(logsQuery(line.runId).queryKey, (lines) =>
    lines === undefined || lines.some(({ id }) => id === line.id) ? lines : [...lines, line],
  );
  // A line may carry a new label.
  void client.invalidateQueries({ queryKey: ['run', line.runId] });
}

export type Connection = 'connecting' | 'live' | 'lost';

/**
 * Listens while the page is visible; a browser has few connections to one server, and several tabs
 * may be open. `run` also brings the lines of that run's log. `change` is the last change before
 * anything was read. Nothing happens while not `enabled`.
 */
export function useEvents(run: string | undefined, change: number, enabled: boolean): Connection {
  const client = useQueryClient();
  const [connection, setConnection] = useState<Connection>('connecting');
  // The last received change: the next connection continues after it.
  const told = useRef(`${change}`);
  useEffect(() => {
    if (!enabled) return undefined;
    let source: EventSource | null = null;
    let waiting: Change[] = [];
    let timer: number | undefined;
    let again: number | undefined;
    let missed = false;

    const flush = () => {
      const changes = waiting;
      waiting = [];
      timer = undefined;
      refresh(client, changes).catch(() => client.invalidateQueries());
    };
    const open = () => {
      const query = new URLSearchParams({ after: told.current });
      if (run !== undefined) query.set('run', run);
      source = new EventSource(`/_sandbox/portal/events?${query}`);
      const remember = ({ lastEventId }: MessageEvent) => {
        told.current = lastEventId.split('.')[0] ?? told.current;
      };
      source.addEventListener('ready', (event) => {
        remember(event);
        setConnection('live');
        if (missed) void client.invalidateQueries();
        missed = false;
      });
      source.addEventListener('change', (event) => {
        remember(event);
        waiting.push(JSON.parse(event.data as string) as Change);
        timer ??= window.setTimeout(flush, TOGETHER);
      });
      source.addEventListener('log', (event) => {
        addLine(client, JSON.parse(event.data as string) as RunLog);
      });
      source.onerror = () => {
        setConnection('lost');
        missed = true;
        // The browser reconnects automatically, but not after an error response. Any other request
        // shows whether the session has ended.
        if (source?.readyState === EventSource.CLOSED) {
          void client.invalidateQueries({ queryKey: ['blueprints'] });
          again = window.setTimeout(reopen, 3000);
        }
      };
    };
    const close = () => {
      window.clearTimeout(again);
      source?.close();
      source = null;
    };
    const reopen = () => {
      close();
      if (!document.hidden) open();
    };
    const follow = () => {
      if (document.hidden) close();
      else if (source === null) open();
    };
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      document.removeEventListener('visibilitychange', follow);
      window.clearTimeout(timer);
      close();
    };
  }, [client, run, enabled]);
  return connection;
}
