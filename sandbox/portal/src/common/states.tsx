/** What stands in the place of data that is not there. */
import { Alert, Button, Center, Group, Loader, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { MOST } from '../api/queries';

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
  /** In the place of a whole page, whose heading this is then. */
  page?: boolean;
}

export function Failed({ error, retry, page = false }: FailedProps) {
  return (
    <Alert
      color="red"
      title={
        <Text inherit component={page ? 'h1' : 'span'}>
          This could not be loaded
        </Text>
      }
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

/** Says so when a list is not all there is. */
export function Limited({ count }: { count: number }) {
  if (count < MOST) return null;
  return (
    <Text size="sm" c="dimmed" mt="sm">
      These are the last {MOST}. There may be more.
    </Text>
  );
}

interface EmptyProps {
  title: string;
  children?: ReactNode;
  /** As of `Failed`. */
  page?: boolean;
}

export function Empty({ title, children, page = false }: EmptyProps) {
  return (
    <Center p="xl">
      <Stack align="center" gap="xs">
        <Text fw={600} component={page ? 'h1' : 'p'}>
          {title}
        </Text>
        {children}
      </Stack>
    </Center>
  );
}
