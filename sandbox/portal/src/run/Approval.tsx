import { Alert, Button, Group, Modal, Stack, Text, Textarea } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { call, path } from '../api/client';
import { approversQuery } from '../api/queries';
import type { Run } from '../api/types';
import { Author } from '../catalog/Cell';
import { useMe } from '../session/session';

type Decision = 'APPROVE' | 'DECLINE';

function Dialog({ run, decision, onClose }: { run: Run; decision: Decision; onClose: () => void }) {
  const [description, setDescription] = useState('');
  const decide = useMutation({
    mutationFn: () =>
      call('PATCH', path`/v1/actions/runs/${run.id}/approval`, { status: decision, description }),
    onSuccess: onClose,
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        decide.mutate();
      }}
    >
      <Stack>
        {decide.isError && (
          <Alert color="red" role="alert">
            {decide.error.message}
          </Alert>
        )}
        <Textarea
          label="Comment"
          description="The requester reads it"
          autosize
          minRows={3}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
          data-autofocus
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button
            type="submit"
            color={decision === 'APPROVE' ? 'green' : 'red'}
            loading={decide.isPending}
          >
            {decision === 'APPROVE' ? 'Approve' : 'Decline'}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Deciding about a run, for those who are asked; for others, who that is. */
export function Approval({ run }: { run: Run }) {
  const waits = run.status === 'WAITING_FOR_APPROVAL';
  const me = useMe();
  const approvers = useQuery({ ...approversQuery(run.id), enabled: waits });
  const [decision, setDecision] = useState<Decision | null>(null);
  if (!waits || approvers.data === undefined) return null;
  const asked = approvers.data.filter(({ state }) => state === 'PENDING');
  const isAsked = asked.some(({ userId }) => userId === me.id);
  return (
    <>
      {isAsked ? (
        <>
          <Button color="green" onClick={() => setDecision('APPROVE')}>
            Approve
          </Button>
          <Button color="red" onClick={() => setDecision('DECLINE')}>
            Decline
          </Button>
        </>
      ) : (
        <Text size="sm" c="dimmed">
          To be decided by{' '}
          {asked.map(({ userId }, index) => (
            <span key={userId}>
              {index > 0 && ', '}
              <Author id={userId} />
            </span>
          ))}
        </Text>
      )}
      <Modal
        opened={decision !== null}
        onClose={() => setDecision(null)}
        title={decision === 'APPROVE' ? 'Approve this run' : 'Decline this run'}
      >
        {decision !== null && (
          <Dialog run={run} decision={decision} onClose={() => setDecision(null)} />
        )}
      </Modal>
    </>
  );
}
