/** Sorting, nested grouping, hiding and sizing of a page, by TanStack Table. */
import type { Row, SortingState } from '@tanstack/react-table';
import {
  columnGroupingFeature,
  columnResizingFeature,
  columnSizingFeature,
  columnVisibilityFeature,
  createColumnHelper,
  createExpandedRowModel,
  createGroupedRowModel,
  createSortedRowModel,
  rowExpandingFeature,
  rowSortingFeature,
  tableFeatures,
} from '@tanstack/react-table';
import type { Entity } from '../api/types';
import type { Column } from './columns';
import { isEmpty, textOf } from './columns';
import { compare } from './rows';

export const features = tableFeatures({
  columnGroupingFeature,
  columnResizingFeature,
  columnSizingFeature,
  columnVisibilityFeature,
  rowExpandingFeature,
  rowSortingFeature,
  groupedRowModel: createGroupedRowModel(),
  sortedRowModel: createSortedRowModel(),
  expandedRowModel: createExpandedRowModel(),
});
export type EntityRow = Row<typeof features, Entity>;

const helper = createColumnHelper<typeof features, Entity>();
type Widths = Partial<Record<Column['kind'], number>>;

const WIDTHS: Widths = {
  title: 260,
  enum: 130,
  number: 100,
  boolean: 100,
  date: 150,
  link: 130,
};
// The title and two more columns fit into 390 pixels.
const NARROW: Widths = { ...WIDTHS, title: 128, enum: 107 };

/** The columns as the table takes them. Empty values come last in either direction. */
export function tableColumns(columns: Column[], narrow = false) {
  const widths = narrow ? NARROW : WIDTHS;
  return helper.columns(
    columns.map((column) =>
      helper.accessor(
        (entity: Entity) => {
          const value = column.value(entity);
          return isEmpty(value) ? undefined : value;
        },
        {
          id: column.id,
          header: column.title,
          size: widths[column.kind] ?? 160,
          minSize: 70,
          enableGrouping: canGroup(column),
          getGroupingValue: (entity) => textOf(column.value(entity)),
          sortUndefined: 'last',
          sortFn: (a, b, id) => compare(column, a.getValue(id), b.getValue(id)),
        },
      ),
    ),
  );
}

export const canGroup = ({ many, kind }: Column) =>
  !many && !['json', 'code', 'markdown'].includes(kind);

/** Groups are in the order of their names if the table is not sorted by their column. */
export function sortingWith(sorting: SortingState, grouping: string[]): SortingState {
  const sorted = new Set(sorting.map(({ id }) => id));
  const added = grouping.filter((id) => !sorted.has(id)).map((id) => ({ id, desc: false }));
  return [...added, ...sorting];
}

/** How many entities are in a group. */
export function countOf(row: EntityRow): number {
  return row.subRows.reduce((count, sub) => count + (sub.getIsGrouped() ? countOf(sub) : 1), 0);
}
