import { IconCheck, IconExternalLink, IconX } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { Entity, JsonValue } from '../api/types';
import { Chip } from '../common/Chip';
import { Ago } from '../common/time';
import { entityLink, safeUrl } from '../links';
import { EntityAuthor } from './Author';
import classes from './Cell.module.css';
import type { Column } from './columns';
import { isEmpty, textOf } from './columns';

interface Props {
  column: Column;
  value: JsonValue | undefined;
  entity?: Entity;
  /** Without anything that can be clicked. */
  plain?: boolean;
}

function Single({ column, value, entity, plain }: Props) {
  const text = textOf(value);
  switch (column.kind) {
    case 'title':
      return entity === undefined || plain ? (
        <span>{text}</span>
      ) : (
        <Link {...entityLink(entity.blueprint, entity.identifier)} className={classes.title}>
          {text}
        </Link>
      );
    case 'enum':
      return <Chip label={text} color={column.colors?.[text]} />;
    case 'date':
      return <Ago moment={text} />;
    case 'boolean':
      return value === true || value === 'true' ? (
        <IconCheck size={16} aria-label="yes" />
      ) : (
        <IconX size={16} aria-label="no" />
      );
    case 'link': {
      const href = plain ? undefined : safeUrl(value);
      return href === undefined ? (
        <span>{text}</span>
      ) : (
        <a href={href} target="_blank" rel="noreferrer" className={classes.link} title={href}>
          {column.title}
          <IconExternalLink size={13} aria-hidden />
        </a>
      );
    }
    case 'relation':
      return plain || column.target === undefined ? (
        <span>{text}</span>
      ) : (
        <Link {...entityLink(column.target, text)}>{text}</Link>
      );
    case 'author':
      return <EntityAuthor id={text} entity={entity} column={column.id} />;
    default:
      return <span>{text.length > 300 ? `${text.slice(0, 300)}…` : text}</span>;
  }
}

/** A value as its column shows it. Text is never interpreted. */
export function Cell({ column, value, entity, plain }: Props) {
  if (isEmpty(value)) return <span className={classes.none}>–</span>;
  const values = Array.isArray(value) ? value : [value];
  const text = textOf(value);
  return (
    <span
      className={classes.value}
      title={column.kind === 'text' ? text.slice(0, 1000) : undefined}
    >
      {values.map((item, index) => (
        <Single key={index} column={column} value={item} entity={entity} plain={plain} />
      ))}
    </span>
  );
}
