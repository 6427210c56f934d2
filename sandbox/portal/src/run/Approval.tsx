import { Alert, Button, Stack, Text, Textarea } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { call, path } from '../api/client';
import { approversQuery } from '../api/queries';
import type { Run } from '../api/types';
import { Author } from '../catalog/Author';
import { DialogButtons } from '../common/DialogButtons';
import { GuardedModal } from '../common/GuardedModal';
import { useMe } from '../session/session';

type Decision = 'APPROVE' | 'DECLINE';

interface DialogProps {
  run: Run;
  decision: Decision;
  description: string;
  onType: (description: string) => void;
  onClose: () => void;
}

function Dialog({ run, decision, description, onType, onClose }: DialogProps) {
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
          description="The requester can read it"
          autosize
          minRows={3}
          value={description}
          onChange={(event) => onType(event.currentTarget.value)}
          data-autofocus
        />
        <DialogButtons>
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
        </DialogButtons>
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
  const [description, setDescription] = useState('');
  const close = () => {
    setDecision(null);
    setDescription('');
  };
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
      <GuardedModal
        dirty={description !== ''}
        opened={decision !== null}
        onClose={close}
        title={decision === 'APPROVE' ? 'Approve this run' : 'Decline this run'}
      >
        {decision !== null && (
          <Dialog
            run={run}
            decision={decision}
            description={description}
            onType={setDescription}
            onClose={close}
          />
        )}
      </GuardedModal>
    </>
  );
}
