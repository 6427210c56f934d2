/** The table of entities: only what is in sight is in the document, rows and columns alike. */
import { IconArrowDown, IconArrowUp, IconChevronRight } from '@tabler/icons-react';
import type { ReactTable } from '@tanstack/react-table';
import type { VirtualItem } from '@tanstack/react-virtual';
import { useVirtualizer } from '@tanstack/react-virtual';
import type { KeyboardEvent } from 'react';
import { memo, useRef } from 'react';
import type { Blueprint, Entity } from '../api/types';
import { Cell } from './Cell';
import type { Column } from './columns';
import { textOf } from './columns';
import classes from './Grid.module.css';
import { RowMenu } from './RowMenu';
import type { EntityRow, features } from './table';
import { countOf } from './table';

const ROW = 38;
const MENU = 48;
const STEP = 20;

interface Props {
  table: ReactTable<typeof features, Entity>;
  columns: Column[];
  blueprint: Blueprint;
  label: string;
}

export function Grid({ table, columns, blueprint, label }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = table.getRowModel().rows;
  const headers = table.getHeaderGroups()[0]?.headers ?? [];
  const byId = new Map(columns.map((column) => [column.id, column]));
  const groups = table.state.grouping.map((id) => byId.get(id)?.title ?? id);

  // The compiler cannot keep the results of these; they are the libraries' own state.

  const vertical = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const horizontal = useVirtualizer({
    horizontal: true,
    count: headers.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => headers[index]?.getSize() ?? 150,
    getItemKey: (index) => `${headers[index]?.id} ${headers[index]?.getSize()}`,
    overscan: 2,
  });
  const shown = horizontal.getVirtualItems();
  // The first column stays in sight, so it is always there.
  const items = shown.filter(({ index }) => index > 0);
  const first = headers[0];
  const firstWidth = first?.getSize() ?? 0;
  const before = (items[0]?.start ?? firstWidth) - firstWidth;
  const after = horizontal.getTotalSize() - (items.at(-1)?.end ?? firstWidth);
  const width = horizontal.getTotalSize() + MENU;

  const sortButton = (index: number) => {
    const header = headers[index];
    if (header === undefined) return null;
    const { column } = header;
    const direction = column.getIsSorted();
    const title = byId.get(column.id)?.title ?? column.id;
    const place = table.state.sorting.filter(({ id }) => !table.state.grouping.includes(id));
    const resize = (event: KeyboardEvent) => {
      const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      const size = Math.max(70, column.getSize() + by);
      table.setColumnSizing((sizes) => ({ ...sizes, [column.id]: size }));
    };
    return (
      <div
        key={header.id}
        role="columnheader"
        aria-colindex={index + 1}
        aria-sort={direction === 'asc' ? 'ascending' : direction === 'desc' ? 'descending' : 'none'}
        className={index === 0 ? `${classes.cell} ${classes.first}` : classes.cell}
        style={{ width: header.getSize() }}
      >
        <button
          type="button"
          className={classes.sort}
          title={`${byId.get(column.id)?.description ?? title} (Shift adds to the order)`}
          onClick={column.getToggleSortingHandler()}
        >
          <span className={classes.ellipsis}>{title}</span>
          {direction === 'asc' && <IconArrowUp size={14} aria-hidden />}
          {direction === 'desc' && <IconArrowDown size={14} aria-hidden />}
          {direction !== false && place.length > 1 && (
            <small>{place.findIndex(({ id }) => id === column.id) + 1 || ''}</small>
          )}
        </button>
        <span
          role="separator"
          aria-orientation="vertical"
          aria-label={`Width of ${title}`}
          aria-valuenow={header.getSize()}
          aria-valuemin={70}
          aria-valuemax={1000}
          tabIndex={0}
          className={classes.resize}
          onMouseDown={header.getResizeHandler()}
          onTouchStart={header.getResizeHandler()}
          onKeyDown={resize}
        />
      </div>
    );
  };

  return (
    <div
      ref={scroller}
      className={classes.scroller}
      role="table"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      aria-colcount={headers.length + 1}
      tabIndex={0}
    >
      <div role="rowgroup" className={classes.header} style={{ width }}>
        <div role="row" aria-rowindex={1} className={classes.row}>
          {sortButton(0)}
          <span style={{ width: before, flexShrink: 0 }} />
          {items.map(({ index }) => sortButton(index))}
          <span style={{ width: after, flexShrink: 0 }} />
          <div
            role="columnheader"
            aria-colindex={headers.length + 1}
            className={`${classes.cell} ${classes.menu}`}
            style={{ width: MENU }}
          >
            <span className={classes.hidden}>Actions</span>
          </div>
        </div>
      </div>
      <div role="rowgroup" style={{ height: vertical.getTotalSize(), width, position: 'relative' }}>
        {vertical.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          const place = {
            transform: `translateY(${item.start}px)`,
            height: ROW,
          };
          return row.getIsGrouped() ? (
            <div
              key={row.id}
              role="row"
              aria-rowindex={item.index + 2}
              className={`${classes.row} ${classes.body} ${classes.group}`}
              style={place}
            >
              <GroupCell
                row={row}
                title={groups[row.depth] ?? ''}
                column={byId.get(row.groupingColumnId ?? '')}
                span={headers.length + 1}
              />
            </div>
          ) : (
            <div
              key={row.id}
              role="row"
              aria-rowindex={item.index + 2}
              className={`${classes.row} ${classes.body}`}
              style={place}
            >
              <EntityCells
                entity={row.original}
                depth={row.depth}
                ids={headers.map(({ id }) => id).join('\n')}
                sizes={headers.map((header) => header.getSize()).join(' ')}
                items={items}
                range={`${items[0]?.index} ${items.at(-1)?.index}`}
                before={before}
                after={after}
                byId={columns}
                blueprint={blueprint}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

interface GroupProps {
  row: EntityRow;
  title: string;
  column: Column | undefined;
  span: number;
}

function GroupCell({ row, title, column, span }: GroupProps) {
  const value = textOf(row.groupingValue as string);
  const expanded = row.getIsExpanded();
  const count = countOf(row);
  return (
    <div role="cell" aria-colspan={span} className={classes.groupCell}>
      <button
        type="button"
        className={classes.toggle}
        style={{ paddingLeft: 8 + row.depth * 22 }}
        aria-expanded={expanded}
        onClick={row.getToggleExpandedHandler()}
      >
        <IconChevronRight size={16} aria-hidden className={expanded ? classes.open : undefined} />
        <span className={classes.groupTitle}>{title}:</span>
        <span className={classes.groupValue}>
          {value === '' ? (
            <i>none</i>
          ) : column === undefined ? (
            value
          ) : (
            <Cell column={column} value={value} plain />
          )}
        </span>
        <span className={classes.count} title={`${count} in this group`}>
          {count.toLocaleString('en')}
        </span>
      </button>
    </div>
  );
}

interface CellsProps {
  entity: Entity;
  depth: number;
  /** The shown columns and their widths; text, so that the row is drawn again only for news. */
  ids: string;
  sizes: string;
  range: string;
  items: VirtualItem[];
  before: number;
  after: number;
  byId: Column[];
  blueprint: Blueprint;
}

const EntityCells = memo(
  function EntityCells({
    entity,
    depth,
    ids,
    sizes,
    items,
    before,
    after,
    byId,
    blueprint,
  }: CellsProps) {
    const names = ids.split('\n');
    const widths = sizes.split(' ').map(Number);
    const cell = (index: number) => {
      const column = byId.find(({ id }) => id === names[index]);
      if (column === undefined) return null;
      return (
        <div
          key={column.id}
          role={index === 0 ? 'rowheader' : 'cell'}
          aria-colindex={index + 1}
          className={index === 0 ? `${classes.cell} ${classes.first}` : classes.cell}
          style={{ width: widths[index], paddingLeft: index === 0 ? 16 + depth * 22 : undefined }}
        >
          <Cell column={column} value={column.value(entity)} entity={entity} />
        </div>
      );
    };
    return (
      <>
        {cell(0)}
        <span style={{ width: before, flexShrink: 0 }} />
        {items.map(({ index }) => cell(index))}
        <span style={{ width: after, flexShrink: 0 }} />
        <div
          role="cell"
          aria-colindex={names.length + 1}
          className={`${classes.cell} ${classes.menu}`}
          style={{ width: MENU }}
        >
          <RowMenu blueprint={blueprint} entity={entity} />
        </div>
      </>
    );
  },
  (a, b) =>
    a.entity === b.entity &&
    a.depth === b.depth &&
    a.ids === b.ids &&
    a.sizes === b.sizes &&
    a.range === b.range &&
    a.byId === b.byId,
);
