import { Switch, Table, Text } from '@mantine/core';
import { useState } from 'react';
import type { JsonObject, JsonValue } from '../api/types';
import { textOf } from '../catalog/columns';
import classes from './Diff.module.css';
import { differences } from './diff';

const LONG = 120;

function Value({ value, kind }: { value: JsonValue | undefined; kind?: 'before' | 'after' }) {
  const text = textOf(value);
  if (text === '') return <span className={classes.none}>–</span>;
  // A long text scrolls, also for who uses the keyboard.
  const shown = (
    <span className={kind && classes[kind]} tabIndex={kind && text.length > LONG ? 0 : undefined}>
      {text}
    </span>
  );
  if (kind === 'before') return <del className={classes.plain}>{shown}</del>;
  return kind === 'after' ? <ins className={classes.plain}>{shown}</ins> : shown;
}

interface Props {
  before: JsonObject | null;
  after: JsonObject | null;
}

/** Two versions of something beside each other. */
export function Diff({ before, after }: Props) {
  const [all, setAll] = useState(false);
  const found = differences(before, after);
  const shown = all ? found : found.filter(({ changed }) => changed);
  return (
    <div className={classes.diff}>
      <Switch
        size="xs"
        mb="xs"
        label="Also show unchanged lines"
        checked={all}
        onChange={(event) => setAll(event.currentTarget.checked)}
      />
      {shown.length === 0 ? (
        <Text size="sm">Only the author and the time changed.</Text>
      ) : (
        <div className={classes.scroll} tabIndex={0} role="group" aria-label="Before and after">
          <Table withTableBorder layout="fixed" miw={480}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th w="28%">Field</Table.Th>
                <Table.Th>Before</Table.Th>
                <Table.Th>After</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.map(({ path, before: old, after: now, changed }) => (
                <Table.Tr key={path}>
                  <Table.Td className={classes.value}>{path}</Table.Td>
                  <Table.Td className={classes.value}>
                    <Value value={old} kind={changed ? 'before' : undefined} />
                  </Table.Td>
                  <Table.Td className={classes.value}>
                    <Value value={now} kind={changed ? 'after' : undefined} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </div>
  );
}
