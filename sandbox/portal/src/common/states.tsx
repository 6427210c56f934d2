/** What stands in the place of data that is not there. */
import { Alert, Button, Center, Group, Loader, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { ReactNode } from 'react';

export function Loading({ what }: { what: string }) {
  return (
    <Center p="xl" role="status">
      <Group gap="sm">
        <Loader size="sm" aria-hidden />
        <Text c="dimmed">Loading {what}…</Text>
      </Group>
    </Center>
  );
}

interface FailedProps {
  error: Error;
  retry?: () => void;
  /** It stands for a whole page, which then has no other heading. */
  page?: boolean;
}

export function Failed({ error, retry, page = false }: FailedProps) {
  const title = 'This could not be loaded';
  return (
    <Alert
      color="red"
      title={page ? <h1 style={{ font: 'inherit', margin: 0 }}>{title}</h1> : title}
      icon={<IconAlertTriangle />}
      m="md"
      role="alert"
    >
      <Stack align="flex-start" gap="sm">
        <Text size="sm">{error.message}</Text>
        {retry !== undefined && (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

interface EmptyProps {
  title: string;
  children?: ReactNode;
  /** It stands for a whole page, which then has no other heading. */
  page?: boolean;
}

export function Empty({ title, children, page = false }: EmptyProps) {
  return (
    <Center p="xl">
      <Stack align="center" gap="xs">
        {page ? (
          <Title order={1} size="md">
            {title}
          </Title>
        ) : (
          <Text fw={600}>{title}</Text>
        )}
        {children}
      </Stack>
    </Center>
  );
}
