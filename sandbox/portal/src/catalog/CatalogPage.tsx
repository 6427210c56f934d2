import { CloseButton, Group, Text, TextInput, Title } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { ExpandedState } from '@tanstack/react-table';
import { functionalUpdate, useTable } from '@tanstack/react-table';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useDeferredValue, useEffect, useMemo, useState } from 'react';
import { actionsQuery, entitiesQuery } from '../api/queries';
import type { Blueprint, Entity } from '../api/types';
import { Empty, Failed, Loading } from '../common/states';
import classes from './CatalogPage.module.css';
import { columnsOf, hiddenAtFirst, statusFirst } from './columns';
import { CreateMenu, creates } from './CreateMenu';
import { Grid } from './Grid';
import { filter, search } from './rows';
import { features, sortingWith, tableColumns } from './table';
import { Toolbar } from './Toolbar';
import type { View } from './view';
import { parseView } from './view';

const NONE: Entity[] = [];

/** The entities of a blueprint: found, grouped, sorted and saved as one likes. */
export function CatalogPage({ blueprint }: { blueprint: Blueprint }) {
  const entities = useQuery(entitiesQuery(blueprint.identifier));
  const actions = useQuery(actionsQuery(blueprint.identifier));
  const canCreate = actions.data?.some(creates) === true;
  const narrow = useMediaQuery('(max-width: 600px)', false, { getInitialValueInEffect: false });
  const given = useSearch({ from: '/$page' });
  const navigate = useNavigate({ from: '/$page' });
  const view = useMemo(() => parseView(given), [given]);
  const change = (part: Partial<View>) =>
    void navigate({ search: (now) => ({ ...parseView(now), ...part }), replace: true });

  const columns = useMemo(() => {
    const all = columnsOf(blueprint);
    return narrow ? statusFirst(all) : all;
  }, [blueprint, narrow]);
  const definitions = useMemo(() => tableColumns(columns, narrow), [columns, narrow]);
  const hidden = view.hide ?? hiddenAtFirst(blueprint.identifier);
  const [typed, setTyped] = useState(view.q ?? '');
  const text = useDeferredValue(typed);
  const [expanded, setExpanded] = useState<ExpandedState>({});
  useEffect(() => {
    document.title = `${blueprint.title}s · Port sandbox`;
  }, [blueprint.title]);

  // What is typed goes into the address a moment later; what a view brings comes back from it.
  const [known, setKnown] = useState(view.q);
  if (known !== view.q) {
    setKnown(view.q);
    if ((view.q ?? '') !== typed.trim()) setTyped(view.q ?? '');
  }
  useEffect(() => {
    const timer = window.setTimeout(() => {
      const q = typed.trim() || undefined;
      if (q !== view.q) change({ q });
    }, 400);
    return () => window.clearTimeout(timer);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only what is typed starts the timer
  }, [typed]);

  const all = entities.data ?? NONE;
  const rules = view.filter;
  const shown = useMemo(
    () => filter(search(all, text), columns, rules ?? []),
    [all, text, columns, rules],
  );
  const grouping = useMemo(
    () => (view.group ?? []).filter((id) => columns.some((column) => column.id === id)),
    [view.group, columns],
  );
  const sorting = useMemo(() => view.sort ?? [], [view.sort]);
  const visibility = Object.fromEntries([...hidden, ...grouping].map((id) => [id, false]));
  const table = useTable({
    features,
    columns: definitions,
    data: shown,
    getRowId: (entity) => `entity ${entity.identifier}`,
    autoResetExpanded: false,
    isMultiSortEvent: (event) => (event as MouseEvent).shiftKey,
    columnResizeMode: 'onChange',
    state: {
      grouping,
      sorting: useMemo(() => sortingWith(sorting, grouping), [sorting, grouping]),
      columnVisibility: visibility,
      expanded,
    },
    onExpandedChange: setExpanded,
    onSortingChange: (updater) => change({ sort: functionalUpdate(updater, sorting) }),
  });

  const found = shown.length === all.length ? '' : ` of ${all.length.toLocaleString('en')}`;
  return (
    <div className={classes.page}>
      <Group justify="space-between" className={classes.head}>
        <Title order={1} size="h3">
          {blueprint.title}s
        </Title>
        <CreateMenu blueprint={blueprint} />
      </Group>
      <Group className={classes.tools} gap="xs">
        <TextInput
          className={classes.search}
          leftSection={<IconSearch size={16} aria-hidden />}
          placeholder="Search"
          aria-label={`Search ${blueprint.title}s`}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          rightSection={
            typed !== '' && (
              <CloseButton size="sm" aria-label="Clear the search" onClick={() => setTyped('')} />
            )
          }
        />
        <Toolbar
          blueprint={blueprint}
          columns={columns}
          view={{ ...view, q: typed.trim() || undefined }}
          hidden={hidden}
          shown={() =>
            table
              .getSortedRowModel()
              .flatRows.flatMap((row) => (row.getIsGrouped() ? [] : [row.original]))
          }
          onChange={change}
          onExpandAll={setExpanded}
        />
      </Group>
      {entities.isPending ? (
        <Loading what={`${blueprint.title}s`} />
      ) : entities.isError ? (
        <Failed error={entities.error} retry={() => void entities.refetch()} />
      ) : shown.length === 0 ? (
        <Empty
          title={all.length === 0 ? `There is no ${blueprint.title} yet` : 'No entity matches'}
        >
          <Text c="dimmed" size="sm">
            {all.length === 0
              ? canCreate && 'Create one with the button above.'
              : 'Change the search or the filters.'}
          </Text>
        </Empty>
      ) : (
        <Grid table={table} columns={columns} blueprint={blueprint} label={`${blueprint.title}s`} />
      )}
      <div className={classes.footer} role="status">
        {shown.length.toLocaleString('en')}
        {found} {shown.length === 1 && found === '' ? 'result' : 'results'}
      </div>
    </div>
  );
}
