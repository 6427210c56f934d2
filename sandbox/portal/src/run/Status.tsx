import type { Run, RunStatus } from '../api/types';
import { Chip } from '../common/Chip';

const STATUS: Record<RunStatus, { label: string; color: string }> = {
  IN_PROGRESS: { label: 'In progress', color: 'blue' },
  SUCCESS: { label: 'Success', color: 'green' },
  FAILURE: { label: 'Failure', color: 'red' },
  WAITING_FOR_APPROVAL: { label: 'Waiting for approval', color: 'yellow' },
  DECLINED: { label: 'Declined', color: 'orange' },
};

export const isOver = ({ status }: Run) =>
  status === 'SUCCESS' || status === 'FAILURE' || status === 'DECLINED';

/** How a run stands: its label, if it has one, in the colour of its status. */
export function Status({ run }: { run: Run }) {
  const { label, color } = STATUS[run.status];
  return <Chip label={run.statusLabel ?? label} color={color} />;
}
