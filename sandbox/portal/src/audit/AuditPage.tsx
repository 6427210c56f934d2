import type { ReactNode } from 'react';
import { Alert, Tabs, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { auditQuery } from '../api/queries';
import { usePageTitle } from '../common/usePageTitle';
import { Failed, Loading } from '../common/states';
import { useMe } from '../session/session';
import { AuditTable } from './AuditTable';

const RESOURCES = [
  { value: 'entity', label: 'Entities' },
  { value: 'run', label: 'Runs' },
  { value: 'blueprint', label: 'Blueprints' },
  { value: 'action', label: 'Actions' },
];

/** Who changed what. */
export function AuditPage(): ReactNode {
  usePageTitle('Audit log');
  const [resource, setResource] = useState('entity');
  const me = useMe();
  const events = useQuery(auditQuery({ resources: resource }));
  return (
    <div style={{ padding: 16 }}>
      <Title order={1} size="h3" mb="sm">
        Audit log
      </Title>
      {!me.roles.includes('Admin') && (
        <Alert color="gray" mb="sm">
          Only administrators see everything. This is what you changed yourself.
        </Alert>
      )}
      <Tabs
        value={resource}
        onChange={(value) => setResource(value ?? 'entity')}
        keepMounted={false}
      >
        <Tabs.List mb="sm">
          {RESOURCES.map(({ value, label }) => (
            <Tabs.Tab key={value} value={value}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {RESOURCES.map(({ value }) => (
          <Tabs.Panel key={value} value={value}>
            {events.isPending ? (
              <Loading what="the audit log" />
            ) : events.isError ? (
              <Failed error={events.error} retry={() => void events.refetch()} />
            ) : (
              <AuditTable events={events.data} />
            )}
          </Tabs.Panel>
        ))}
      </Tabs>
    </div>
  );
}
