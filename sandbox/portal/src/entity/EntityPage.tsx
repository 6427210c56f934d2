import { Breadcrumbs, Group, Paper, Switch, Tabs, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import {
  auditQuery,
  blueprintsQuery,
  entityQuery,
  relatedQuery,
  runQuery,
  runsQuery,
  tracesQuery,
} from '../api/queries';
import type { Blueprint, Entity } from '../api/types';
import { AuditTable } from '../audit/AuditTable';
import { columnsOf } from '../catalog/columns';
import { RowMenu } from '../catalog/RowMenu';
import { Empty, Failed, Loading } from '../common/states';
import { usePageTitle } from '../common/usePageTitle';
import { useTab } from '../common/useTab';
import { catalogLink, entityLink } from '../links';
import { RunsTable } from '../run/RunsTable';
import classes from './EntityPage.module.css';
import { Properties } from './Properties';

interface Ids {
  blueprint: string;
  identifier: string;
}

function Details({ blueprint, entity }: { blueprint: Blueprint; entity: Entity }) {
  const [hideEmpty, setHideEmpty] = useState(true);
  const columns = useMemo(
    () => columnsOf(blueprint).filter(({ id }) => id !== '$title'),
    [blueprint],
  );
  return (
    <Paper withBorder p="md" component="section" aria-label="Details">
      <Switch
        size="xs"
        mb="md"
        label="Hide empty properties"
        checked={hideEmpty}
        onChange={(event) => setHideEmpty(event.currentTarget.checked)}
      />
      <Properties columns={columns} entity={entity} hideEmpty={hideEmpty} />
    </Paper>
  );
}

function RelatedList({ title, entities }: { title: string; entities: Entity[] }) {
  const blueprints = useQuery(blueprintsQuery);
  if (entities.length === 0) return null;
  const nameOf = (id: string) =>
    blueprints.data?.find(({ identifier }) => identifier === id)?.title ?? id;
  return (
    <section>
      <Title order={2} size="h5" mt="sm" mb="xs">
        {title}
      </Title>
      <ul className={classes.related}>
        {entities.map(({ blueprint, identifier, title: name }) => (
          <li key={`${blueprint} ${identifier}`}>
            <Text span c="dimmed" size="sm">
              {nameOf(blueprint)}
            </Text>{' '}
            <Link {...entityLink(blueprint, identifier)}>{name ?? identifier}</Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Related({ blueprint, identifier }: Ids) {
  const related = useQuery(relatedQuery(blueprint, identifier));
  if (related.isPending) return <Loading what="the related entities" />;
  if (related.isError) {
    return <Failed error={related.error} retry={() => void related.refetch()} />;
  }
  const { upstream, downstream } = related.data;
  if (upstream.length + downstream.length === 0) {
    return <Empty title="No related entities" />;
  }
  return (
    <>
      <RelatedList title="Depends on" entities={upstream} />
      <RelatedList title="Required by" entities={downstream} />
    </>
  );
}

function Runs({ blueprint, identifier }: Ids) {
  const runs = useQuery(runsQuery({ blueprint, entity: identifier }));
  const traces = useQuery(tracesQuery);
  const made = traces.data?.created.find(
    (trace) => trace.blueprint === blueprint && trace.identifier === identifier,
  );
  // Port lists a run that creates something under no entity.
  const create = useQuery({ ...runQuery(made?.runId ?? ''), enabled: made !== undefined });
  if (runs.isPending || traces.isPending) return <Loading what="the runs" />;
  if (runs.isError) return <Failed error={runs.error} retry={() => void runs.refetch()} />;
  return <RunsTable runs={create.data === undefined ? runs.data : [...runs.data, create.data]} />;
}

function Audit({ blueprint, identifier }: Ids) {
  const events = useQuery(auditQuery({ blueprint, entity: identifier, resources: 'entity' }));
  if (events.isPending) return <Loading what="the audit log" />;
  if (events.isError) return <Failed error={events.error} retry={() => void events.refetch()} />;
  return <AuditTable events={events.data} />;
}

/** One entity. */
export function EntityPage({
  blueprint,
  identifier,
}: {
  blueprint: Blueprint;
  identifier: string;
}) {
  const found = useQuery(entityQuery(blueprint.identifier, identifier));
  usePageTitle(found.data?.title ?? identifier);
  const tabs = useTab(['details', 'related', 'runs', 'audit']);
  if (found.isPending) return <Loading what="the entity" />;
  if (found.isError) return <Failed page error={found.error} retry={() => void found.refetch()} />;
  const entity = found.data;
  const ids = { blueprint: blueprint.identifier, identifier };
  return (
    <div className={classes.page}>
      <Breadcrumbs mb="xs">
        <Link {...catalogLink(blueprint.identifier)}>{blueprint.title}s</Link>
        <Text span c="dimmed" className={classes.name}>
          {entity.identifier}
        </Text>
      </Breadcrumbs>
      <Group justify="space-between" mb="md" wrap="nowrap">
        <Title order={1} size="h3" className={classes.name}>
          {entity.title ?? entity.identifier}
        </Title>
        <RowMenu blueprint={blueprint} entity={entity} onPage />
      </Group>
      <Tabs {...tabs} keepMounted={false}>
        <Tabs.List mb="sm">
          <Tabs.Tab value="details">Details</Tabs.Tab>
          <Tabs.Tab value="related">Related entities</Tabs.Tab>
          <Tabs.Tab value="runs">Runs</Tabs.Tab>
          <Tabs.Tab value="audit">Audit log</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="details">
          <Details blueprint={blueprint} entity={entity} />
        </Tabs.Panel>
        <Tabs.Panel value="related">
          <Related {...ids} />
        </Tabs.Panel>
        <Tabs.Panel value="runs">
          <Runs {...ids} />
        </Tabs.Panel>
        <Tabs.Panel value="audit">
          <Audit {...ids} />
        </Tabs.Panel>
      </Tabs>
    </div>
  );
}
