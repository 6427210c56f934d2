import type { ReactNode } from 'react';
import { SegmentedControl, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { runsQuery } from '../api/queries';
import { Failed, Loading } from '../common/states';
import { usePageTitle } from '../common/usePageTitle';
import { useMe } from '../session/session';
import { RunsTable } from './RunsTable';

/** The history of runs: one's own, or all that one may see. */
export function RunsPage(): ReactNode {
  usePageTitle('Runs');
  const { of } = useSearch({ from: '/organization/runs' });
  const navigate = useNavigate();
  const me = useMe();
  const runs = useQuery(runsQuery(of === 'all' ? {} : { user_id: me.id }));
  return (
    <div style={{ padding: 16 }}>
      <Title order={1} size="h3" mb="sm">
        Runs
      </Title>
      <SegmentedControl
        mb="sm"
        aria-label="Whose runs"
        data={[
          { value: 'me', label: 'My runs' },
          { value: 'all', label: 'All runs' },
        ]}
        value={of}
        onChange={(value) =>
          void navigate({
            to: '/organization/runs',
            search: { of: value === 'all' ? 'all' : 'me' },
            replace: true,
          })
        }
      />
      {runs.isPending ? (
        <Loading what="the runs" />
      ) : runs.isError ? (
        <Failed error={runs.error} retry={() => void runs.refetch()} />
      ) : (
        <RunsTable runs={runs.data} />
      )}
    </div>
  );
}
