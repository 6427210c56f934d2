/** The panels of the toolbar. */
import {
  ActionIcon,
  Button,
  Checkbox,
  Group,
  ScrollArea,
  SegmentedControl,
  Select,
  Stack,
  TagsInput,
  Text,
  TextInput,
} from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import type { Column } from './columns';
import type { Operator, Rule } from './rows';
import { needsValue, operatorsOf } from './rows';
import { canGroup } from './table';
import type { View } from './view';

// The lists of the selects must be within the panel, or a click on them would close it.
const within = { comboboxProps: { withinPortal: false } };

const options = (columns: Column[]) =>
  columns.map(({ id, title }) => ({ value: id, label: title }));

function Remove({ label, onClick }: { label: string; onClick: () => void }) {
  return (
    <ActionIcon variant="subtle" color="gray" aria-label={label} onClick={onClick}>
      <IconTrash size={16} />
    </ActionIcon>
  );
}

function Add({
  label,
  onClick,
  disabled,
}: {
  label: string;
  onClick: () => void;
  disabled?: boolean;
}) {
  return (
    <Button
      size="xs"
      variant="subtle"
      leftSection={<IconPlus size={14} aria-hidden />}
      onClick={onClick}
      disabled={disabled}
    >
      {label}
    </Button>
  );
}

const replaced = <T,>(list: T[], index: number, item: T) =>
  list.map((old, at) => (at === index ? item : old));
const removed = <T,>(list: T[], index: number) => list.filter((_, at) => at !== index);

interface FilterProps {
  columns: Column[];
  rules: Rule[];
  onChange: (rules: Rule[]) => void;
}

export function FilterPanel({ columns, rules, onChange }: FilterProps) {
  const row = (rule: Rule, index: number) => {
    const column = columns.find(({ id }) => id === rule.column) ?? columns[0];
    if (column === undefined) return null;
    const set = (part: Partial<Rule>) => onChange(replaced(rules, index, { ...rule, ...part }));
    const known = column.kind === 'boolean' ? ['true', 'false'] : column.values;
    return (
      <Stack key={index} gap={6} pb="xs" style={{ borderBottom: '1px solid var(--line)' }}>
        <Group gap={6} wrap="nowrap">
          <Select
            {...within}
            size="xs"
            aria-label="Property"
            searchable
            data={options(columns)}
            value={rule.column}
            allowDeselect={false}
            onChange={(id) => {
              const next = columns.find((each) => each.id === id);
              const operator = next && operatorsOf(next)[0];
              if (id !== null && operator) set({ column: id, operator, values: [] });
            }}
          />
          <Select
            {...within}
            size="xs"
            aria-label="Operator"
            data={operatorsOf(column)}
            value={rule.operator}
            allowDeselect={false}
            onChange={(operator) => set({ operator: operator as Operator })}
          />
          <Remove
            label={`Remove the filter on ${column.title}`}
            onClick={() => onChange(removed(rules, index))}
          />
        </Group>
        {needsValue(rule.operator) &&
          (column.kind === 'date' ? (
            <TextInput
              size="xs"
              type="datetime-local"
              aria-label="Value"
              value={rule.values[0] ?? ''}
              onChange={(event) => set({ values: [event.currentTarget.value].filter(Boolean) })}
            />
          ) : (
            <TagsInput
              {...within}
              size="xs"
              aria-label="Values"
              placeholder={rule.values.length === 0 ? 'One or several values' : undefined}
              data={known ?? []}
              value={rule.values}
              onChange={(values) => set({ values })}
              acceptValueOnBlur
            />
          ))}
      </Stack>
    );
  };
  const first = columns[0];
  return (
    <Stack gap="xs">
      <Text size="sm" fw={600}>
        Show what fits all of this
      </Text>
      {rules.map(row)}
      <Add
        label="Add a filter"
        onClick={() =>
          first &&
          onChange([
            ...rules,
            { column: first.id, operator: operatorsOf(first)[0] ?? 'is', values: [] },
          ])
        }
      />
    </Stack>
  );
}

interface ColumnsProps {
  columns: Column[];
  hidden: string[];
  onChange: (hidden: string[]) => void;
}

export function ColumnsPanel({ columns, hidden, onChange }: ColumnsProps) {
  const [text, setText] = useState('');
  const found = columns.filter(({ title }) => title.toLowerCase().includes(text.toLowerCase()));
  const ids = found.map(({ id }) => id);
  return (
    <Stack gap="xs">
      <TextInput
        size="xs"
        placeholder="Find a property"
        aria-label="Find a property"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Group gap="xs">
        <Button
          size="compact-xs"
          variant="default"
          onClick={() => onChange(hidden.filter((id) => !ids.includes(id)))}
        >
          Show all
        </Button>
        <Button
          size="compact-xs"
          variant="default"
          onClick={() =>
            onChange([...new Set([...hidden, ...ids.filter((id) => id !== '$title')])])
          }
        >
          Hide all
        </Button>
      </Group>
      <ScrollArea.Autosize mah={320} type="auto">
        <Stack gap={6}>
          {found.map(({ id, title }) => (
            <Checkbox
              key={id}
              size="xs"
              label={title}
              checked={!hidden.includes(id)}
              disabled={id === '$title'}
              onChange={(event) =>
                onChange(
                  event.currentTarget.checked
                    ? hidden.filter((other) => other !== id)
                    : [...hidden, id],
                )
              }
            />
          ))}
        </Stack>
      </ScrollArea.Autosize>
    </Stack>
  );
}

interface SortProps {
  columns: Column[];
  sort: NonNullable<View['sort']>;
  onChange: (sort: NonNullable<View['sort']>) => void;
}

export function SortPanel({ columns, sort, onChange }: SortProps) {
  const free = columns.filter(({ id }) => !sort.some((each) => each.id === id));
  return (
    <Stack gap="xs">
      {sort.length === 0 && <Text size="sm">In order of creation</Text>}
      {sort.map(({ id, desc }, index) => (
        <Group key={id} gap={6} wrap="nowrap">
          <Select
            {...within}
            size="xs"
            searchable
            flex={1}
            aria-label={index === 0 ? 'Sort by' : 'Then by'}
            data={options(columns.filter((each) => each.id === id || free.includes(each)))}
            value={id}
            allowDeselect={false}
            onChange={(next) =>
              next !== null && onChange(replaced(sort, index, { id: next, desc }))
            }
          />
          <SegmentedControl
            size="xs"
            aria-label="Direction"
            data={[
              { value: 'asc', label: 'Up' },
              { value: 'desc', label: 'Down' },
            ]}
            value={desc ? 'desc' : 'asc'}
            onChange={(value) => onChange(replaced(sort, index, { id, desc: value === 'desc' }))}
          />
          <Remove label="Remove from the order" onClick={() => onChange(removed(sort, index))} />
        </Group>
      ))}
      <Add
        label="Add a property"
        disabled={free.length === 0}
        onClick={() => free[0] && onChange([...sort, { id: free[0].id, desc: false }])}
      />
    </Stack>
  );
}

interface GroupProps {
  columns: Column[];
  group: string[];
  onChange: (group: string[]) => void;
}

export function GroupPanel({ columns, group, onChange }: GroupProps) {
  const usable = columns.filter((column) => canGroup(column) && column.id !== '$title');
  const free = usable.filter(({ id }) => !group.includes(id));
  const swap = (index: number, other: number) => {
    const [a, b] = [group[index], group[other]];
    if (a === undefined || b === undefined) return;
    onChange(replaced(replaced(group, index, b), other, a));
  };
  return (
    <Stack gap="xs">
      {group.length === 0 && <Text size="sm">Not grouped</Text>}
      {group.map((id, index) => (
        <Group key={id} gap={4} wrap="nowrap">
          <Select
            {...within}
            size="xs"
            searchable
            flex={1}
            aria-label={index === 0 ? 'Group by' : 'Then by'}
            data={options(usable.filter((each) => each.id === id || free.includes(each)))}
            value={id}
            allowDeselect={false}
            onChange={(next) => next !== null && onChange(replaced(group, index, next))}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label="Further up"
            disabled={index === 0}
            onClick={() => swap(index, index - 1)}
          >
            <IconArrowUp size={16} />
          </ActionIcon>
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label="Further down"
            disabled={index === group.length - 1}
            onClick={() => swap(index, index + 1)}
          >
            <IconArrowDown size={16} />
          </ActionIcon>
          <Remove label="Remove from the groups" onClick={() => onChange(removed(group, index))} />
        </Group>
      ))}
      <Select
        {...within}
        key={group.join('\n')}
        size="xs"
        searchable
        placeholder={group.length === 0 ? 'Group by…' : 'Then by…'}
        aria-label="Add a property to group by"
        data={options(free)}
        value={null}
        onChange={(id) => id !== null && onChange([...group, id])}
      />
    </Stack>
  );
}
