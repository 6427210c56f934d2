import { Alert, Button, Center, Paper, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError } from '../api/client';
import { peopleQuery } from '../api/queries';
import type { Person } from '../api/types';
import { Failed, Loading } from '../common/states';
import { useSession } from './session';

/** The documented secret of everybody, unless the server was started with another one. */
const SECRET = 'sandbox';

export function PersonList({ onDone }: { onDone?: () => void }) {
  const { signIn } = useSession();
  const people = useQuery(peopleQuery);
  const [asked, setAsked] = useState<Person | null>(null);
  const [secret, setSecret] = useState('');
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string | null>(null);

  const become = async (person: Person, typed: string) => {
    setBusy(true);
    setFault(null);
    try {
      await signIn(person.email, typed);
      onDone?.();
    } catch (error) {
      const wrong = error instanceof ApiError && error.status === 401;
      if (wrong && asked === null) setAsked(person);
      else setFault((error as Error).message);
    } finally {
      setBusy(false);
    }
  };

  if (people.isPending) return <Loading what="people" />;
  if (people.isError) return <Failed error={people.error} retry={() => void people.refetch()} />;
  if (asked !== null) {
    return (
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void become(asked, secret);
        }}
      >
        <Stack>
          <PasswordInput
            label={`Secret of ${asked.name}`}
            value={secret}
            onChange={(event) => setSecret(event.currentTarget.value)}
            error={fault}
            data-autofocus
          />
          <Button type="submit" loading={busy}>
            Continue
          </Button>
          <Button variant="subtle" onClick={() => setAsked(null)}>
            Back
          </Button>
        </Stack>
      </form>
    );
  }
  return (
    <Stack gap="xs">
      {fault !== null && <Alert color="red">{fault}</Alert>}
      {people.data.people.map((person) => (
        <Button
          key={person.email}
          variant="default"
          justify="flex-start"
          h="auto"
          py="xs"
          styles={{ label: { whiteSpace: 'normal' } }}
          disabled={busy}
          onClick={() => void become(person, SECRET)}
        >
          <span style={{ textAlign: 'left' }}>
            <Text span fw={600} display="block">
              {person.name}
            </Text>
            <Text span size="xs" c="dimmed">
              {person.email} · {person.roles.join(', ')}
            </Text>
          </span>
        </Button>
      ))}
    </Stack>
  );
}

/** The first page: the choice of a user. */
export function SignIn({ reason }: { reason: string | null }) {
  return (
    <Center mih="100vh" p="md" component="main">
      <Paper withBorder p="xl" w={420} maw="100%" radius="md">
        <Title order={1} size="h2" mb={4}>
          Choose a user
        </Title>
        <Text c="dimmed" mb="lg">
          These users exist only in the sandbox. Their permissions differ.
        </Text>
        {reason !== null && (
          <Alert color="yellow" mb="md">
            {reason}
          </Alert>
        )}
        <PersonList />
      </Paper>
    </Center>
  );
}
