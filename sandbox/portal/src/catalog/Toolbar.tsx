/** What decides how a page is looked at. */
import { Button, Menu } from '@mantine/core';
import {
  IconArrowsSort,
  IconColumns,
  IconDownload,
  IconFilter,
  IconLayersSubtract,
  IconRotate2,
} from '@tabler/icons-react';
import type { ExpandedState } from '@tanstack/react-table';
import type { Blueprint, Entity } from '../api/types';
import type { Column } from './columns';
import { download, toCsv, toJson } from './export';
import { ColumnsPanel, FilterPanel, GroupPanel, SortPanel } from './panels';
import { ToolButton } from './ToolButton';
import type { View } from './view';
import { Views } from './Views';

interface Props {
  blueprint: Blueprint;
  columns: Column[];
  view: View;
  hidden: string[];
  /** The entities that are shown, in their order. */
  shown: () => Entity[];
  onChange: (part: Partial<View>) => void;
  onExpandAll: (expanded: ExpandedState) => void;
}

export function Toolbar({ blueprint, columns, view, hidden, shown, onChange, onExpandAll }: Props) {
  const visible = () => columns.filter(({ id }) => !hidden.includes(id));
  const isChanged = Object.values(view).some((part) => part !== undefined);
  const grouped = view.group?.length ?? 0;
  return (
    <>
      <ToolButton Icon={IconFilter} label="Filter" count={view.filter?.length}>
        <FilterPanel
          columns={columns}
          rules={view.filter ?? []}
          onChange={(rules) => onChange({ filter: rules.length ? rules : undefined })}
        />
      </ToolButton>
      <ToolButton Icon={IconColumns} label="Hide" count={view.hide && hidden.length}>
        <ColumnsPanel columns={columns} hidden={hidden} onChange={(hide) => onChange({ hide })} />
      </ToolButton>
      <ToolButton Icon={IconArrowsSort} label="Sort" count={view.sort?.length}>
        <SortPanel
          columns={columns}
          sort={view.sort ?? []}
          onChange={(sort) => onChange({ sort: sort.length ? sort : undefined })}
        />
      </ToolButton>
      <ToolButton Icon={IconLayersSubtract} label="Group by" count={grouped}>
        <GroupPanel
          columns={columns}
          group={view.group ?? []}
          onChange={(group) => onChange({ group: group.length ? group : undefined })}
        />
      </ToolButton>
      {grouped > 0 && (
        <Button.Group>
          <Button variant="default" size="xs" onClick={() => onExpandAll(true)}>
            Expand all
          </Button>
          <Button variant="default" size="xs" onClick={() => onExpandAll({})}>
            Collapse all
          </Button>
        </Button.Group>
      )}
      <Menu position="bottom-start">
        <Menu.Target>
          <Button variant="default" size="xs" leftSection={<IconDownload size={15} aria-hidden />}>
            Export
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item
            onClick={() =>
              download(`${blueprint.identifier}.csv`, 'text/csv', toCsv(visible(), shown()))
            }
          >
            CSV
          </Menu.Item>
          <Menu.Item
            onClick={() =>
              download(
                `${blueprint.identifier}.json`,
                'application/json',
                toJson(visible(), shown()),
              )
            }
          >
            JSON
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Views blueprint={blueprint.identifier} view={view} onChange={onChange} />
      {isChanged && (
        <Button
          variant="subtle"
          size="xs"
          leftSection={<IconRotate2 size={15} aria-hidden />}
          onClick={() =>
            onChange({
              view: undefined,
              q: undefined,
              group: undefined,
              sort: undefined,
              filter: undefined,
              hide: undefined,
            })
          }
        >
          Reset
        </Button>
      )}
    </>
  );
}
