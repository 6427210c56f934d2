import { Anchor, Button, Group, Indicator, Popover, Stack, Text } from '@mantine/core';
import { IconBolt } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { runsQuery } from '../api/queries';
import { Loading } from '../common/states';
import { Ago } from '../common/time';
import { runLink } from '../links';
import { titleOf } from '../run/RunsTable';
import { isOver, Status } from '../run/Status';
import { useMe } from '../session/session';
import classes from './LatestRuns.module.css';

/** The user's latest runs, and how many are in progress. */
export function LatestRuns() {
  const me = useMe();
  const runs = useQuery(runsQuery({ user_id: me.id, limit: '10' }));
  const [opened, setOpened] = useState(false);
  const active = runs.data?.filter((run) => !isOver(run)).length ?? 0;
  const close = () => setOpened(false);
  const toggle = () => {
    setOpened(!opened);
    // A new run is looked up here, perhaps before its event arrives.
    if (!opened) void runs.refetch();
  };
  return (
    <Indicator disabled={active === 0} label={active} size={17} offset={3}>
      <Popover
        opened={opened}
        onChange={setOpened}
        position="bottom-end"
        width={360}
        trapFocus
        shadow="md"
      >
        <Popover.Target>
          <Button
            variant="default"
            px={10}
            aria-label={`My latest runs, ${active} in progress`}
            onClick={toggle}
          >
            <IconBolt size={18} aria-hidden />
            <Text span size="sm" fw={500} ml={6} visibleFrom="sm">
              My latest runs
            </Text>
          </Button>
        </Popover.Target>
        <Popover.Dropdown maw="calc(100vw - 16px)" aria-label="My latest runs">
          {runs.isPending && <Loading what="the runs" />}
          {runs.isError && <Text size="sm">{runs.error.message}</Text>}
          {runs.data?.length === 0 && <Text size="sm">You have not run an action yet.</Text>}
          <Stack gap={2}>
            {runs.data?.map((run) => (
              <Link key={run.id} {...runLink(run.id)} className={classes.run} onClick={close}>
                <span className={classes.title}>
                  {titleOf(run.action)}
                  <Text span size="xs" c="dimmed" display="block">
                    <Ago moment={run.createdAt} />
                  </Text>
                </span>
                <Status run={run} />
              </Link>
            ))}
          </Stack>
          <Group justify="center" mt="xs">
            <Anchor
              size="sm"
              renderRoot={(props) => (
                <Link to="/organization/runs" search={{ of: 'me' }} {...props} onClick={close} />
              )}
            >
              My run history
            </Anchor>
          </Group>
        </Popover.Dropdown>
      </Popover>
    </Indicator>
  );
}
