import {
  ActionIcon,
  Anchor,
  Badge,
  Breadcrumbs,
  Group,
  Menu,
  Paper,
  Stack,
  Tabs,
  Text,
  Title,
} from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconBolt, IconDots, IconExternalLink } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { call, path } from '../api/client';
import { actionsQuery, auditQuery, entityQuery, runQuery } from '../api/queries';
import type { Run } from '../api/types';
import { AuditTable } from '../audit/AuditTable';
import { Author } from '../catalog/Author';
import { Reason } from '../common/Reason';
import { Empty, Failed, Loading } from '../common/states';
import { absolute, Ago, Elapsed } from '../common/time';
import { usePageTitle } from '../common/usePageTitle';
import { useTab } from '../common/useTab';
import { CodeEditor } from '../form/CodeEditor';
import { useActionDialog } from '../form/dialog';
import { write } from '../form/text';
import { catalogLink, linkTitle, safeUrl } from '../links';
import { useMe } from '../session/session';
import { Approval } from './Approval';
import { RunLog } from './RunLog';
import classes from './RunPage.module.css';
import { RunEntity } from './RunEntity';
import { titleOf } from './RunsTable';
import { isOver, Status } from './Status';

function Field({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className={classes.field}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Details({ run }: { run: Run }) {
  return (
    <Paper withBorder p="md" component="section" aria-label="Details">
      <dl className={classes.fields}>
        <Field label="Status">
          <Status run={run} />
        </Field>
        <Field label="Start">
          <span title={absolute(run.createdAt)}>
            <Ago moment={run.createdAt} />
          </span>
        </Field>
        <Field label="End">{run.endedAt === undefined ? '–' : <Ago moment={run.endedAt} />}</Field>
        <Field label="Duration">
          <Elapsed from={run.createdAt} to={run.endedAt} />
        </Field>
        <Field label="Requested by">
          <Author id={run.createdBy} /> ({run.source})
        </Field>
        <Field label="Entity">
          <RunEntity run={run} none="–" />
        </Field>
        {run.approval !== null && (
          <Field label={run.approval.state === 'DECLINED' ? 'Declined by' : 'Approved by'}>
            <Author id={run.approval.userId} />
            {run.approval.description !== '' && <>: “{run.approval.description}”</>}
          </Field>
        )}
        {run.summary !== undefined && <Field label="Summary">{run.summary}</Field>}
        {run.link.length > 0 && (
          <Field label="Job links">
            <Stack gap={2}>
              {run.link.map((link) => (
                <span key={link} className={classes.link}>
                  {safeUrl(link) === undefined ? (
                    link
                  ) : (
                    <a href={link} target="_blank" rel="noreferrer" title={link}>
                      {linkTitle(link)} <IconExternalLink size={13} aria-label="opens a new tab" />
                    </a>
                  )}
                </span>
              ))}
            </Stack>
          </Field>
        )}
      </dl>
    </Paper>
  );
}

function RunMenu({ run }: { run: Run }) {
  const execute = useActionDialog();
  const isThere = run.entity !== undefined && !run.entity.deleted;
  const actions = useQuery(
    actionsQuery(run.blueprint?.identifier, isThere ? run.entity?.identifier : undefined),
  );
  const action = actions.data?.find(({ identifier }) => identifier === run.action.identifier);
  const entity = useQuery({
    ...entityQuery(run.blueprint?.identifier ?? '', run.entity?.identifier ?? ''),
    enabled: isThere,
  });
  const end = useMutation({
    mutationFn: () =>
      call('PATCH', path`/v1/actions/runs/${run.id}`, {
        status: 'FAILURE',
        summary: run.status === 'WAITING_FOR_APPROVAL' ? 'Withdrawn' : 'Cancelled',
      }),
    onError: (error) => notifications.show({ color: 'red', message: error.message }),
  });
  const me = useMe();
  const needsEntity = action !== undefined && action.trigger.operation !== 'CREATE';
  const again =
    action === undefined
      ? 'The action no longer exists.'
      : (action.refusal ??
        (needsEntity && entity.data === undefined ? 'The entity no longer exists.' : null));
  const mayEnd = me.roles.includes('Admin') || run.createdBy === me.id;
  const ending = isOver(run)
    ? 'The run has ended.'
    : mayEnd
      ? null
      : 'Only the requester or an administrator can end a run.';
  return (
    <Menu position="bottom-end" width={280}>
      <Menu.Target>
        <ActionIcon variant="default" size="lg" aria-label="More about this run">
          <IconDots size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          disabled={again !== null}
          onClick={() => action && execute(action, entity.data, run.properties)}
        >
          Re-run action
          <Reason text={again} />
        </Menu.Item>
        <Menu.Item
          c="var(--mantine-color-error)"
          disabled={ending !== null}
          onClick={() => end.mutate()}
        >
          {run.status === 'WAITING_FOR_APPROVAL'
            ? 'Withdraw the request'
            : 'Cancel (end as failure)'}
          <Reason text={ending} />
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function Affected({ id }: { id: string }) {
  const events = useQuery(auditQuery({ run_id: id, resources: 'entity' }));
  if (events.isPending) return <Loading what="the affected entities" />;
  if (events.isError) return <Failed error={events.error} retry={() => void events.refetch()} />;
  if (events.data.length === 0) return <Empty title="No changes to entities that you can see" />;
  return <AuditTable events={events.data} />;
}

/** A run, as it goes on. */
export function RunPage(): ReactNode {
  const { runId } = useSearch({ from: '/organization/run' });
  usePageTitle(`Run ${runId}`);
  const found = useQuery(runQuery(runId));
  const tabs = useTab(['log', 'affected', 'inputs', 'payload']);
  if (runId === '') return <Empty page title="The address does not name a run" />;
  if (found.isPending) return <Loading what="the run" />;
  if (found.isError) return <Failed page error={found.error} retry={() => void found.refetch()} />;
  const run = found.data;
  return (
    <div className={classes.page}>
      <Breadcrumbs mb="xs">
        {run.blueprint !== undefined && (
          <Link {...catalogLink(run.blueprint.identifier)}>{titleOf(run.blueprint)}</Link>
        )}
        <Anchor component="span" underline="never" c="dimmed">
          <IconBolt size={14} aria-hidden /> {run.id}
        </Anchor>
      </Breadcrumbs>
      <Group justify="space-between" mb="md">
        <Group gap="sm">
          <Title order={1} size="h3">
            {titleOf(run.action)}
          </Title>
          {run.action.deleted === true && <Badge color="gray">deleted action</Badge>}
        </Group>
        <Group gap="xs">
          <Approval run={run} />
          <RunMenu run={run} />
        </Group>
      </Group>
      <Details run={run} />
      <Tabs {...tabs} mt="md" keepMounted={false}>
        <Tabs.List mb="sm">
          <Tabs.Tab value="log">Log stream</Tabs.Tab>
          <Tabs.Tab value="affected">Affected entities</Tabs.Tab>
          <Tabs.Tab value="inputs">Form inputs</Tabs.Tab>
          <Tabs.Tab value="payload">Payload</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="log">
          <RunLog id={run.id} />
        </Tabs.Panel>
        <Tabs.Panel value="affected">
          <Affected id={run.id} />
        </Tabs.Panel>
        <Tabs.Panel value="inputs">
          <Text size="xs" c="dimmed" mb="xs">
            Secret inputs are shown encrypted.
          </Text>
          <CodeEditor label="Form inputs" format="json" value={write(run.properties, 'json')} />
        </Tabs.Panel>
        <Tabs.Panel value="payload">
          <CodeEditor label="Payload" format="json" value={write(run.payload ?? {}, 'json')} />
        </Tabs.Panel>
      </Tabs>
    </div>
  );
}
