/** The columns of a blueprint's page. */
import type { Blueprint, Entity, JsonValue, PropertyDefinition } from '../api/types';

export type ColumnKind =
  | 'title'
  | 'text'
  | 'number'
  | 'boolean'
  | 'enum'
  | 'date'
  | 'link'
  | 'relation'
  | 'author'
  | 'markdown'
  /** Text that is written for machines. */
  | 'code'
  | 'json';

export interface Column {
  /** A property's identifier, a relation's as `relations.x`, or `$title`, `$updatedAt`, …. */
  id: string;
  title: string;
  description?: string;
  kind: ColumnKind;
  /** The values in their own order, if there is a list of them. */
  values?: string[];
  colors?: Record<string, string>;
  /** The blueprint that a relation points at. */
  target?: string;
  /** Whether the value is a list: such a column cannot group. */
  many: boolean;
  value: (entity: Entity) => JsonValue | undefined;
}

/** The default columns of pages. Other pages show every property. */
const PAGES: Record<string, { first: string[]; hidden: string[] }> = {
  service: {
    first: [
      '$title',
      'owner',
      'responsible_team',
      'environment',
      'health_status',
      'sync_status',
      'project',
      'service_type',
      '$updatedAt',
      'ttl',
      'pr_url',
      'apps_chart_url',
      'argocd_app_url',
      'grafana_url',
      'health_url',
    ],
    hidden: [
      'namespace',
      'image_tag',
      'replicas',
      'health_expected_status',
      'health_json_path',
      'health_json_value',
      'last_health_check',
      'health_detail',
      'health_check_id',
      '$createdAt',
    ],
  },
};
const ALWAYS_HIDDEN = ['$identifier', '$createdBy', '$updatedBy', '$team'];

function kindOf({ type, format, enum: values, colors }: PropertyDefinition): ColumnKind {
  if (values !== undefined || colors !== undefined) return 'enum';
  if (format === 'date-time' || format === 'timer') return 'date';
  if (format === 'url') return 'link';
  if (format === 'markdown') return 'markdown';
  if (format === 'yaml' || format === 'proto') return 'code';
  if (type === 'number' || type === 'boolean') return type;
  return type === 'object' ? 'json' : 'text';
}

function propertyColumn(id: string, definition: PropertyDefinition): Column {
  const many = definition.type === 'array';
  const shown = many
    ? { ...definition.items, type: definition.items?.type ?? 'string' }
    : definition;
  return {
    id,
    title: definition.title ?? id,
    description: definition.description,
    kind: kindOf(shown),
    values: shown.enum?.map(String),
    colors: shown.enumColors ?? definition.colors,
    many,
    value: (entity) => entity.properties[id],
  };
}

function meta(id: string, title: string, kind: ColumnKind, value: Column['value']): Column {
  return { id, title, kind, value, many: id === '$team' };
}

/** All columns of a blueprint, in the order of its page. */
export function columnsOf(blueprint: Blueprint): Column[] {
  const { schema, calculationProperties, mirrorProperties, relations } = blueprint;
  const properties = [
    ...Object.entries(schema.properties),
    ...Object.entries(calculationProperties),
    ...Object.entries(mirrorProperties).map(([id, { title }]): [string, PropertyDefinition] => [
      id,
      { type: 'string', title },
    ]),
  ].map(([id, definition]) => propertyColumn(id, definition));
  const related = Object.entries(relations).map(([id, { title, target, many }]): Column => ({
    id: `relations.${id}`,
    title: title ?? id,
    kind: 'relation',
    target,
    many: many === true,
    value: (entity) => entity.relations[id],
  }));
  const columns = [
    meta('$title', 'Title', 'title', (entity) => entity.title ?? entity.identifier),
    meta('$identifier', 'Identifier', 'text', (entity) => entity.identifier),
    ...properties.filter(({ kind }) => kind !== 'link'),
    ...related,
    meta('$team', 'Owning Teams', 'text', (entity) => entity.team),
    meta('$updatedAt', 'Last Update', 'date', (entity) => entity.updatedAt),
    meta('$createdAt', 'Creation Date', 'date', (entity) => entity.createdAt),
    meta('$updatedBy', 'Updated By', 'author', (entity) => entity.updatedBy),
    meta('$createdBy', 'Created By', 'author', (entity) => entity.createdBy),
    ...properties.filter(({ kind }) => kind === 'link'),
  ];
  const first = PAGES[blueprint.identifier]?.first ?? [];
  const place = (id: string) => (first.includes(id) ? first.indexOf(id) : first.length);
  return columns.toSorted((a, b) => place(a.id) - place(b.id));
}

/** The columns, with the status right after the title, for a narrow window. */
export function statusFirst(columns: Column[]): Column[] {
  const place = ({ id, kind }: Column) =>
    kind === 'title' ? 0 : kind === 'enum' && id.endsWith('status') ? 1 : 2;
  return columns.toSorted((a, b) => place(a) - place(b));
}

/** The columns that are hidden by default. */
export function hiddenAtFirst(blueprint: string): string[] {
  return [...ALWAYS_HIDDEN, ...(PAGES[blueprint]?.hidden ?? [])];
}

export const isEmpty = (value: JsonValue | undefined): value is undefined | null | '' =>
  value === undefined || value === null || value === '' || (Array.isArray(value) && !value.length);

/** A value as text: what is searched, exported, and named in groups. */
export function textOf(value: JsonValue | undefined): string {
  if (isEmpty(value)) return '';
  if (Array.isArray(value)) return value.map(textOf).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
