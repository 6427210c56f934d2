/** What every page has around it. */
import type { ReactNode } from 'react';
import {
  Alert,
  AppShell,
  Badge,
  Burger,
  Group,
  Indicator,
  Modal,
  NavLink,
  ScrollArea,
  Text,
  VisuallyHidden,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import type { Icon } from '@tabler/icons-react';
import {
  IconBolt,
  IconChecklist,
  IconHistory,
  IconLayoutList,
  IconListSearch,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useLocation, useRouterState } from '@tanstack/react-router';
import { useEffect } from 'react';
import { useEvents } from '../api/events';
import { blueprintsQuery, runQuery } from '../api/queries';
import type { Blueprint } from '../api/types';
import { BLUEPRINT as REQUEST } from '../approvals/refusal';
import { useWaiting } from '../approvals/useWaiting';
import { Failed, Loading } from '../common/states';
import { ActionDialogProvider } from '../form/dialog';
import { catalogLink, pageOf } from '../links';
import { SignIn, PersonList } from '../session/SignIn';
import { useSession } from '../session/session';
import classes from './Shell.module.css';
import { LatestRuns } from './LatestRuns';
import { ColorScheme, UserMenu } from './UserMenu';

type FixedPage = '/self-serve' | '/approvals' | '/organization/runs' | '/settings/AuditLog';

interface NavigationProps {
  /** How many decisions wait for this person. */
  waiting: number;
  onNavigate: () => void;
}

function Navigation({ waiting, onNavigate }: NavigationProps) {
  const blueprints = useQuery(blueprintsQuery);
  const { pathname } = useLocation();
  const entry = ({ identifier, title }: Blueprint) => (
    <NavLink
      key={identifier}
      renderRoot={(props) => <Link {...catalogLink(identifier)} {...props} />}
      label={`${title}s`}
      leftSection={<IconLayoutList size={18} aria-hidden />}
      active={[`/${pageOf(identifier)}`, `/${identifier}Entity`].includes(decodeURI(pathname))}
      onClick={onNavigate}
    />
  );
  const page = (to: FixedPage, label: string, Picture: Icon, count = 0) => (
    <NavLink
      renderRoot={(props) => <Link to={to} {...props} />}
      label={label}
      leftSection={<Picture size={18} aria-hidden />}
      active={pathname === to}
      rightSection={
        count > 0 && (
          <Badge size="sm" circle>
            {count}
            <VisuallyHidden> to decide</VisuallyHidden>
          </Badge>
        )
      }
      onClick={onNavigate}
    />
  );
  const all = blueprints.data ?? [];
  const own = all.filter(({ identifier }) => !identifier.startsWith('_'));
  const system = all.filter(({ identifier }) => identifier.startsWith('_'));
  return (
    <nav aria-label="Pages">
      {page('/self-serve', 'Self-service', IconBolt)}
      {page('/approvals', 'Approvals', IconChecklist, waiting)}
      <Text className={classes.section}>Catalog</Text>
      {own.map(entry)}
      <Text className={classes.section}>Organization</Text>
      {system.map(entry)}
      {page('/organization/runs', 'Runs', IconHistory)}
      {page('/settings/AuditLog', 'Audit log', IconListSearch)}
    </nav>
  );
}

function SignedIn({ change, expired }: { change: number; expired: boolean }) {
  const [opened, { toggle, close }] = useDisclosure();
  const runId = useRouterState({
    select: ({ location }) =>
      location.pathname === '/organization/run'
        ? (location.search as { runId?: string }).runId
        : undefined,
  });
  // The lines of a run that is not there cannot be asked for.
  const run = useQuery({ ...runQuery(runId ?? ''), enabled: Boolean(runId) });
  const blueprints = useQuery(blueprintsQuery);
  const isInstalled = blueprints.data?.some(({ identifier }) => identifier === REQUEST) === true;
  const waiting = useWaiting(isInstalled);
  const connection = useEvents(run.isSuccess ? runId : undefined, change, !expired);
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 220, breakpoint: 'sm', collapsed: { mobile: !opened } }}
    >
      <a href="#main" className={classes.skip}>
        Skip to the page
      </a>
      <AppShell.Header className={classes.header}>
        <Group gap="xs" wrap="nowrap">
          <Indicator disabled={waiting === 0} label={waiting} size={17} hiddenFrom="sm">
            <Burger
              opened={opened}
              onClick={toggle}
              size="sm"
              aria-label={
                (opened ? 'Close the menu' : 'Open the menu') +
                (waiting === 0 ? '' : `, ${waiting} to decide`)
              }
            />
          </Indicator>
          <Link to="/" className={classes.brand}>
            <img src="/icon.svg" alt="" width={26} height={26} />
            <span>
              Port{' '}
              <Text span c="dimmed" size="sm" visibleFrom="xs">
                sandbox
              </Text>
            </span>
          </Link>
        </Group>
        <Group gap="xs" wrap="nowrap">
          {connection === 'lost' && (
            <Text size="sm" className={classes.lost} role="status">
              Connection lost, trying again…
            </Text>
          )}
          <LatestRuns />
          <ColorScheme />
          <UserMenu />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs">
        <ScrollArea>
          <Navigation waiting={waiting} onNavigate={close} />
        </ScrollArea>
      </AppShell.Navbar>
      <AppShell.Main id="main" className={classes.main} tabIndex={-1}>
        <ActionDialogProvider>
          <Outlet />
        </ActionDialogProvider>
      </AppShell.Main>
      <Modal
        opened={expired}
        onClose={() => undefined}
        withCloseButton={false}
        // Above a form, which may be open.
        zIndex={400}
        title="Your session has ended"
      >
        <Alert color="yellow" mb="md">
          The server no longer accepts your access token. What you typed is still here: sign in
          again to continue.
        </Alert>
        <PersonList />
      </Modal>
    </AppShell>
  );
}

/** The pages of the signed-in person, or the page to choose one. */
export function Shell(): ReactNode {
  const { state, retry } = useSession();
  useEffect(() => {
    document.title = 'Port sandbox';
  }, []);
  switch (state.status) {
    case 'loading':
      return <Loading what="the portal" />;
    case 'unreachable':
      return <Failed page error={new Error(state.reason)} retry={retry} />;
    case 'signed-out':
      return <SignIn reason={state.reason} />;
    case 'signed-in':
      return <SignedIn change={state.change} expired={state.expired} />;
  }
}
