/** What waits for a decision, and what was decided. */
import type { ReactNode } from 'react';
import { Button, Group, Paper, SegmentedControl, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { actionsQuery, blueprintsQuery, entitiesQuery, runsQuery } from '../api/queries';
import type { Action, Blueprint, Entity } from '../api/types';
import { columnsOf, textOf } from '../catalog/columns';
import { Chip } from '../common/Chip';
import { Empty, Failed, Loading } from '../common/states';
import { usePageTitle } from '../common/usePageTitle';
import { Properties } from '../entity/Properties';
import { useActionDialog } from '../form/dialog';
import { entityLink } from '../links';
import { RunsTable } from '../run/RunsTable';
import { useMe } from '../session/session';
import { BLUEPRINT, DECIDE, PENDING, refusalOf, statusOf } from './refusal';

// The card's head says these already, they are for machines, or too long for a card.
const APART = new Set(['status', 'summary', 'change_hash', 'full_change']);

function Decide({ request, action }: { request: Entity; action: Action }) {
  const execute = useActionDialog();
  const offered = useQuery(actionsQuery(BLUEPRINT, request.identifier));
  const me = useMe();
  const found = offered.data?.find(({ identifier }) => identifier === action.identifier);
  const refusal = refusalOf(found ?? action, request, me);
  const name = request.title ?? request.identifier;
  return (
    <Group gap="xs">
      {refusal !== null && (
        <Text size="sm" c="dimmed">
          {refusal}
        </Text>
      )}
      <Button
        size="xs"
        color="green"
        disabled={refusal !== null}
        aria-label={`Approve ${name}`}
        onClick={() => execute(action, request, { decision: 'APPROVE' })}
      >
        Approve
      </Button>
      <Button
        size="xs"
        color="red"
        disabled={refusal !== null}
        aria-label={`Decline ${name}`}
        onClick={() => execute(action, request, { decision: 'DECLINE' })}
      >
        Decline
      </Button>
    </Group>
  );
}

interface CardProps {
  blueprint: Blueprint;
  request: Entity;
  action: Action | undefined;
}

function Card({ blueprint, request, action }: CardProps) {
  const columns = useMemo(
    () => columnsOf(blueprint).filter(({ id }) => !id.startsWith('$') && !APART.has(id)),
    [blueprint],
  );
  const status = statusOf(request);
  const colors = blueprint.schema.properties.status?.enumColors;
  return (
    <Paper withBorder p="md" component="article">
      <Group justify="space-between" align="flex-start" mb="sm">
        <Stack gap={4} style={{ minWidth: 0 }}>
          <Group gap="xs">
            <Chip label={status} color={colors?.[status]} />
            <Link {...entityLink(BLUEPRINT, request.identifier)}>
              {request.title ?? request.identifier}
            </Link>
          </Group>
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            {textOf(request.properties.summary)}
          </Text>
        </Stack>
        {action !== undefined && status === PENDING && <Decide request={request} action={action} />}
      </Group>
      <Properties columns={columns} entity={request} hideEmpty />
    </Paper>
  );
}

function Requests({ blueprint }: { blueprint: Blueprint }) {
  const [which, setWhich] = useState(PENDING);
  const requests = useQuery(entitiesQuery(BLUEPRINT));
  const actions = useQuery(actionsQuery(BLUEPRINT));
  if (requests.isPending) return <Loading what="the requests" />;
  if (requests.isError) {
    return <Failed error={requests.error} retry={() => void requests.refetch()} />;
  }
  const shown = requests.data
    .filter((request) => (statusOf(request) === PENDING) === (which === PENDING))
    .toSorted((a, b) => b.createdAt.localeCompare(a.createdAt));
  const action = actions.data?.find(({ identifier }) => identifier === DECIDE);
  return (
    <Stack>
      <SegmentedControl
        style={{ alignSelf: 'flex-start' }}
        aria-label="Which requests"
        data={[
          { value: PENDING, label: 'Pending' },
          { value: 'other', label: 'Decided' },
        ]}
        value={which}
        onChange={setWhich}
      />
      {shown.length === 0 && (
        <Empty title={which === PENDING ? 'No request waits for a decision' : 'No decisions yet'} />
      )}
      {shown.map((request) => (
        <Card key={request.identifier} blueprint={blueprint} request={request} action={action} />
      ))}
    </Stack>
  );
}

/** Runs that wait for Port's own approval, which is given on the run's page. */
function WaitingRuns() {
  const runs = useQuery(runsQuery({ active: 'true' }));
  const waiting = runs.data?.filter(({ status }) => status === 'WAITING_FOR_APPROVAL') ?? [];
  if (runs.isError) return <Failed error={runs.error} retry={() => void runs.refetch()} />;
  if (waiting.length === 0) return null;
  return (
    <section>
      <Title order={2} size="h4" mt="md" mb="xs">
        Runs that wait for Port’s own approval
      </Title>
      <RunsTable runs={waiting} />
    </section>
  );
}

export function ApprovalsPage(): ReactNode {
  usePageTitle('Approvals');
  const blueprints = useQuery(blueprintsQuery);
  if (blueprints.isPending) return <Loading what="the catalogue" />;
  if (blueprints.isError) return <Failed error={blueprints.error} />;
  const blueprint = blueprints.data.find(({ identifier }) => identifier === BLUEPRINT);
  return (
    <Stack p="md">
      <Title order={1} size="h3">
        Approvals
      </Title>
      {blueprint === undefined ? (
        <Empty title={`There is no blueprint “${BLUEPRINT}”`} />
      ) : (
        <Requests blueprint={blueprint} />
      )}
      <WaitingRuns />
    </Stack>
  );
}
