import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  parseSearchWith,
  stringifySearchWith,
} from '@tanstack/react-router';
import { asText } from './common/asText';
import { Empty, Failed, Loading } from './common/states';
import { Home } from './shell/Home';
import { Shell } from './shell/Shell';

/**
 * Only lists and objects are written as JSON: an identifier such as `1.0` in a link from elsewhere
 * must stay unchanged.
 */
function parseJson(value: string): unknown {
  if (!/^[[{]/.test(value)) throw new SyntaxError('The value is neither a list nor an object.');
  return JSON.parse(value);
}

/** What `useTab` keeps in an address. */
interface Tab {
  tab?: string;
}

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => <Empty page title="Page not found" />,
});

const home = createRoute({ getParentRoute: () => root, path: '/', component: Home });
const run = createRoute({
  getParentRoute: () => root,
  path: '/organization/run',
  validateSearch: ({ runId, tab }: Record<string, unknown>): { runId: string } & Tab => ({
    runId: asText(runId) ?? '',
    tab: asText(tab),
  }),
  component: lazyRouteComponent(() => import('./run/RunPage'), 'RunPage'),
});
const runs = createRoute({
  getParentRoute: () => root,
  path: '/organization/runs',
  validateSearch: ({ of }: Record<string, unknown>) => ({
    of: of === 'all' ? ('all' as const) : ('me' as const),
  }),
  component: lazyRouteComponent(() => import('./run/RunsPage'), 'RunsPage'),
});
const auditLog = createRoute({
  getParentRoute: () => root,
  path: '/settings/AuditLog',
  validateSearch: ({ tab }: Record<string, unknown>): Tab => ({ tab: asText(tab) }),
  component: lazyRouteComponent(() => import('./audit/AuditPage'), 'AuditPage'),
});
const hub = createRoute({
  getParentRoute: () => root,
  path: '/self-serve',
  component: lazyRouteComponent(() => import('./hub/HubPage'), 'HubPage'),
});
const approvals = createRoute({
  getParentRoute: () => root,
  path: '/approvals',
  component: lazyRouteComponent(() => import('./approvals/ApprovalsPage'), 'ApprovalsPage'),
});
const page = createRoute({
  getParentRoute: () => root,
  path: '/$page',
  validateSearch: (search: Record<string, unknown>): Record<string, unknown> => search,
  component: lazyRouteComponent(() => import('./catalog/Page'), 'Page'),
});

const routeTree = root.addChildren([home, run, runs, auditLog, hub, approvals, page]);

export const router = createRouter({
  routeTree,
  parseSearch: parseSearchWith(parseJson),
  stringifySearch: stringifySearchWith(JSON.stringify, parseJson),
  defaultPendingComponent: () => <Loading what="the page" />,
  defaultErrorComponent: ({ error, reset }) => <Failed page error={error as Error} retry={reset} />,
});

/**
 * Fetches what the pages are made of. The server may be away when one of them is first wanted, and
 * the browser would then show a page of its own.
 */
export function preload(): void {
  const parts = [
    ...Object.values(router.routesById).map((route) =>
      Promise.resolve(router.loadRouteChunk(route)),
    ),
    import('./form/ActionForm'),
  ];
  // What cannot be fetched now is asked for again when it is wanted.
  void Promise.allSettled(parts);
}

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
