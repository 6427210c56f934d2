/** The properties of an entity, each as its kind is read best. */
import { IconExternalLink } from '@tabler/icons-react';
import type { Entity } from '../api/types';
import { Cell } from '../catalog/Cell';
import type { Column } from '../catalog/columns';
import { isEmpty, textOf } from '../catalog/columns';
import { Markdown } from '../common/Markdown';
import { issueSearch } from '../links';
import classes from './Properties.module.css';

const LONG = 120;

function isWide(column: Column, entity: Entity): boolean {
  const value = column.value(entity);
  if (isEmpty(value)) return false;
  return ['markdown', 'json', 'code'].includes(column.kind) || textOf(value).length > LONG;
}

function Value({ column, entity }: { column: Column; entity: Entity }) {
  const value = column.value(entity);
  if (column.id === 'health_status' && value === 'Degraded') {
    const issue = issueSearch(entity.identifier, entity.properties.pr_url);
    return (
      <>
        <Cell column={column} value={value} />
        {issue !== undefined && (
          <a href={issue} target="_blank" rel="noreferrer" className={classes.issue} title={issue}>
            Issue <IconExternalLink size={13} aria-label="opens a new tab" />
          </a>
        )}
      </>
    );
  }
  if (isEmpty(value)) return <Cell column={column} value={value} />;
  switch (column.kind) {
    case 'markdown':
      return <Markdown text={textOf(value)} />;
    case 'json':
      return (
        <pre className={classes.code} tabIndex={0}>
          {JSON.stringify(value, null, 2)}
        </pre>
      );
    case 'code':
      return (
        <pre className={classes.code} tabIndex={0}>
          {textOf(value)}
        </pre>
      );
    case 'text':
      // A long text scrolls, also for who uses the keyboard.
      return (
        <span className={classes.text} tabIndex={isWide(column, entity) ? 0 : undefined}>
          {textOf(value)}
        </span>
      );
    default:
      return <Cell column={column} value={value} entity={entity} />;
  }
}

interface Props {
  columns: Column[];
  entity: Entity;
  hideEmpty?: boolean;
}

export function Properties({ columns, entity, hideEmpty = false }: Props) {
  const shown = columns.filter((column) => !hideEmpty || !isEmpty(column.value(entity)));
  return (
    <dl className={classes.list}>
      {shown.map((column) => (
        <div
          key={column.id}
          className={isWide(column, entity) ? `${classes.field} ${classes.wide}` : classes.field}
        >
          <dt title={column.description}>{column.title}</dt>
          <dd>
            <Value column={column} entity={entity} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
