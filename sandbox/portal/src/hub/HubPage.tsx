import type { ReactNode } from 'react';
import { Button, Group, Paper, Stack, Text, TextInput, Title } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { actionsQuery, blueprintsQuery } from '../api/queries';
import type { Action } from '../api/types';
import { Chip } from '../common/Chip';
import { Reason } from '../common/Reason';
import { Empty, Failed, Loading } from '../common/states';
import { usePageTitle } from '../common/usePageTitle';
import { useActionDialog } from '../form/dialog';
import classes from './HubPage.module.css';

const COLORS = { CREATE: 'green', 'DAY-2': 'blue', DELETE: 'red' };
const BUTTONS = { CREATE: 'Create', 'DAY-2': 'Execute', DELETE: 'Delete' };

function Card({ action, blueprint }: { action: Action; blueprint: string | undefined }) {
  const execute = useActionDialog();
  const { operation, actionCardButtonText } = action.trigger;
  const title = action.title ?? action.identifier;
  return (
    <Paper withBorder p="md" component="li" className={classes.card}>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Title order={2} size="h5" className={classes.title}>
          {title}
        </Title>
        <span className={classes.badge}>
          <Chip label={operation} color={COLORS[operation]} />
        </span>
      </Group>
      <Text size="sm" c="dimmed" flex={1}>
        {action.description}
      </Text>
      <Reason text={action.refusal} />
      <Group justify="space-between">
        <Text size="xs" c="dimmed">
          {blueprint}
        </Text>
        <Button
          size="xs"
          variant="light"
          disabled={action.refusal !== null}
          aria-label={`${actionCardButtonText ?? BUTTONS[operation]}: ${title}`}
          onClick={() => execute(action)}
        >
          {actionCardButtonText ?? BUTTONS[operation]}
        </Button>
      </Group>
    </Paper>
  );
}

/** All actions that the user can run. */
export function HubPage(): ReactNode {
  usePageTitle('Self-service');
  const actions = useQuery(actionsQuery());
  const blueprints = useQuery(blueprintsQuery);
  const [text, setText] = useState('');
  const nameOf = (id: string | undefined) =>
    blueprints.data?.find(({ identifier }) => identifier === id)?.title ?? id;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = (actions.data ?? []).filter(({ identifier, title, description, trigger }) => {
    const about = [identifier, title, description, nameOf(trigger.blueprintIdentifier)];
    return words.every((word) => about.join(' ').toLowerCase().includes(word));
  });
  return (
    <Stack p="md">
      <Title order={1} size="h3">
        Self-service
      </Title>
      <TextInput
        maw={320}
        leftSection={<IconSearch size={16} aria-hidden />}
        placeholder="Search"
        aria-label="Search the actions"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      {actions.isPending ? (
        <Loading what="the actions" />
      ) : actions.isError ? (
        <Failed error={actions.error} retry={() => void actions.refetch()} />
      ) : found.length === 0 ? (
        <Empty title={actions.data.length === 0 ? 'No actions yet' : 'No action matches'} />
      ) : (
        <ul className={classes.cards}>
          {found.map((action) => (
            <Card
              key={action.identifier}
              action={action}
              blueprint={nameOf(action.trigger.blueprintIdentifier)}
            />
          ))}
        </ul>
      )}
    </Stack>
  );
}
