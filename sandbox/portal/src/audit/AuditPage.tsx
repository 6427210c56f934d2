import type { ReactNode } from 'react';
import { Alert, Tabs, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { auditQuery } from '../api/queries';
import { usePageTitle } from '../common/usePageTitle';
import { useTab } from '../common/useTab';
import { Failed, Loading } from '../common/states';
import { useMe } from '../session/session';
import { AuditTable } from './AuditTable';

const RESOURCES = { entity: 'Entities', run: 'Runs', blueprint: 'Blueprints', action: 'Actions' };

/** Who changed what. */
export function AuditPage(): ReactNode {
  usePageTitle('Audit log');
  const tabs = useTab(['entity', 'run', 'blueprint', 'action']);
  const me = useMe();
  const events = useQuery(auditQuery({ resources: tabs.value }));
  return (
    <div style={{ padding: 16 }}>
      <Title order={1} size="h3" mb="sm">
        Audit log
      </Title>
      {!me.roles.includes('Admin') && (
        <Alert color="gray" mb="sm">
          Only administrators see all events. You see your own.
        </Alert>
      )}
      <Tabs {...tabs} keepMounted={false}>
        <Tabs.List mb="sm">
          {Object.entries(RESOURCES).map(([value, label]) => (
            <Tabs.Tab key={value} value={value}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value={tabs.value}>
          {events.isPending ? (
            <Loading what="the audit log" />
          ) : events.isError ? (
            <Failed error={events.error} retry={() => void events.refetch()} />
          ) : (
            <AuditTable events={events.data} />
          )}
        </Tabs.Panel>
      </Tabs>
    </div>
  );
}
