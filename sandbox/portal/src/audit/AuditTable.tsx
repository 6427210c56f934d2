import { ActionIcon, Table, TextInput } from '@mantine/core';
import { IconChevronRight, IconSearch } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { Fragment, useMemo, useState } from 'react';
import type { AuditEvent } from '../api/types';
import { useQuery } from '@tanstack/react-query';
import { tracesQuery, usersQuery } from '../api/queries';
import { Author, fullName } from '../catalog/Author';
import { Chip } from '../common/Chip';
import { Empty, Limited } from '../common/states';
import { Ago } from '../common/time';
import { entityLink, runLink } from '../links';
import classes from './AuditTable.module.css';
import { Diff } from './Diff';

const ACTIONS = { CREATE: 'green', UPDATE: 'blue', DELETE: 'red' };

/** What an event is about, as its identifier. */
export function subjectOf({ resourceType, context, diff }: AuditEvent): string {
  if (resourceType === 'entity') return context.entity ?? '';
  if (resourceType === 'run') return context.runId ?? '';
  const { identifier } = diff.after ?? diff.before ?? {};
  return typeof identifier === 'string' ? identifier : '';
}

function Subject({ event }: { event: AuditEvent }) {
  const { resourceType, context, diff } = event;
  const subject = subjectOf(event);
  if (resourceType === 'run') return <Link {...runLink(subject)}>{subject}</Link>;
  if (resourceType === 'entity' && context.blueprint !== null && diff.after !== null) {
    return <Link {...entityLink(context.blueprint, subject)}>{subject}</Link>;
  }
  return subject;
}

/** The events of the audit log; each opens to show what it changed. */
export function AuditTable({ events }: { events: AuditEvent[] }) {
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [text, setText] = useState('');
  const users = useQuery(usersQuery).data;
  const requesters = useQuery(tracesQuery).data?.requesters;
  const found = useMemo(() => {
    const nameOf = ({ trigger, context }: AuditEvent) => {
      const ids = [trigger.by.userId, requesters?.[context.runId ?? '']];
      const person = users?.find(({ id }) => ids.includes(id));
      return person === undefined ? '' : fullName(person);
    };
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return events.filter((event) => {
      const { action, resourceType, trigger, context } = event;
      const { blueprint, runId } = context;
      const about = [subjectOf(event), action, resourceType, trigger.origin, blueprint, runId];
      const haystack = [...about, nameOf(event)].join(' ').toLowerCase();
      return words.every((word) => haystack.includes(word));
    });
  }, [events, text, users, requesters]);
  const toggle = (id: string) => {
    const next = new Set(opened);
    if (!next.delete(id)) next.add(id);
    setOpened(next);
  };
  return (
    <>
      <TextInput
        mb="sm"
        maw={320}
        leftSection={<IconSearch size={16} aria-hidden />}
        placeholder="Search"
        aria-label="Search the audit log"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      {found.length === 0 ? (
        <Empty title={events.length === 0 ? 'No events yet' : 'No event matches'} />
      ) : (
        <Table.ScrollContainer minWidth={680} tabIndex={0}>
          <Table verticalSpacing={4}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th w={40}>
                  <span className={classes.hidden}>Details</span>
                </Table.Th>
                <Table.Th>Identifier</Table.Th>
                <Table.Th>Action</Table.Th>
                <Table.Th>User</Table.Th>
                <Table.Th>Date</Table.Th>
                <Table.Th>Blueprint</Table.Th>
                <Table.Th>Type</Table.Th>
                <Table.Th>Status</Table.Th>
                <Table.Th>Run</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {found.map((event) => {
                const { identifier: id, action, trigger, status, context, diff } = event;
                const isOpen = opened.has(id);
                return (
                  <Fragment key={id}>
                    <Table.Tr>
                      <Table.Td>
                        <ActionIcon
                          variant="subtle"
                          color="gray"
                          size="sm"
                          aria-expanded={isOpen}
                          aria-label={`What changed in ${subjectOf(event)}`}
                          onClick={() => toggle(id)}
                        >
                          <IconChevronRight
                            size={16}
                            className={isOpen ? classes.open : undefined}
                          />
                        </ActionIcon>
                      </Table.Td>
                      <Table.Td className={classes.subject}>
                        <Subject event={event} />
                      </Table.Td>
                      <Table.Td>
                        <Chip label={action} color={ACTIONS[action]} />
                      </Table.Td>
                      <Table.Td>
                        <Author id={trigger.by.userId} run={context.runId} />
                      </Table.Td>
                      <Table.Td className={classes.nowrap}>
                        <Ago moment={trigger.at} />
                      </Table.Td>
                      <Table.Td>{context.blueprint}</Table.Td>
                      <Table.Td>{trigger.origin}</Table.Td>
                      <Table.Td>
                        <Chip label={status} color={status === 'SUCCESS' ? 'green' : 'red'} />
                      </Table.Td>
                      <Table.Td className={classes.nowrap}>
                        {context.runId !== undefined && (
                          <Link {...runLink(context.runId)}>{context.runId}</Link>
                        )}
                      </Table.Td>
                    </Table.Tr>
                    {isOpen && (
                      <Table.Tr>
                        <Table.Td colSpan={9}>
                          <Diff before={diff.before} after={diff.after} />
                        </Table.Td>
                      </Table.Tr>
                    )}
                  </Fragment>
                );
              })}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      <Limited count={events.length} />
    </>
  );
}
