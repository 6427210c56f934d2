import { Table } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Run } from '../api/types';
import { Author } from '../catalog/Author';
import { Empty, Limited } from '../common/states';
import { Ago, Elapsed } from '../common/time';
import { runLink } from '../links';
import { RunEntity } from './RunEntity';
import classes from './RunsTable.module.css';
import { Status } from './Status';

export const titleOf = ({ identifier, title }: { identifier: string; title: string | null }) =>
  title ?? identifier;

/** Runs, newest first. */
export function RunsTable({ runs }: { runs: Run[] }) {
  if (runs.length === 0) return <Empty title="No runs yet" />;
  return (
    <>
      <Table.ScrollContainer minWidth={720} tabIndex={0}>
        <Table verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Action</Table.Th>
              <Table.Th>Status</Table.Th>
              <Table.Th>Entity</Table.Th>
              <Table.Th>Run</Table.Th>
              <Table.Th className={classes.nowrap}>Requested by</Table.Th>
              <Table.Th>Started</Table.Th>
              <Table.Th>Duration</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {runs.map((run) => (
              <Table.Tr key={run.id}>
                <Table.Td>{titleOf(run.action)}</Table.Td>
                <Table.Td className={classes.status}>
                  <Status run={run} />
                </Table.Td>
                <Table.Td className={classes.entity}>
                  <RunEntity run={run} />
                </Table.Td>
                <Table.Td className={classes.nowrap}>
                  <Link {...runLink(run.id)}>{run.id}</Link>
                </Table.Td>
                <Table.Td className={classes.nowrap}>
                  <Author id={run.createdBy} />
                </Table.Td>
                <Table.Td className={classes.nowrap}>
                  <Ago moment={run.createdAt} />
                </Table.Td>
                <Table.Td className={classes.nowrap}>
                  <Elapsed from={run.createdAt} to={run.endedAt} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Limited count={runs.length} />
    </>
  );
}
