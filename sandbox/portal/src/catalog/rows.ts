/** Which entities a page shows, and in which order: pure functions of columns and entities. */
import type { Entity, JsonValue } from '../api/types';
import type { Column } from './columns';
import { isEmpty, textOf } from './columns';

export const OPERATORS = [
  'is',
  'is not',
  'contains',
  'does not contain',
  '>',
  '<',
  'is empty',
  'is not empty',
] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Rule {
  column: string;
  operator: Operator;
  /** One of these; nothing of it is looked at by `is empty` and `is not empty`. */
  values: string[];
}

/** The operators that make sense for a column. */
export function operatorsOf({ kind, many }: Column): Operator[] {
  if (kind === 'number' || kind === 'date') {
    return ['is', 'is not', '>', '<', 'is empty', 'is not empty'];
  }
  if (kind === 'boolean' || (kind === 'enum' && !many)) {
    return ['is', 'is not', 'is empty', 'is not empty'];
  }
  return OPERATORS.filter((operator) => operator !== '>' && operator !== '<');
}

export const needsValue = (operator: Operator) => !operator.endsWith('empty');

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Compares two values of a column, upwards. What is empty is the same as anything empty. */
export function compare(
  column: Column,
  a: JsonValue | undefined,
  b: JsonValue | undefined,
): number {
  // Most pairs of a column that has few values; comparing texts is what takes time.
  if (a === b) return 0;
  const { values } = column;
  if (values !== undefined && !column.many) {
    const place = (value: JsonValue | undefined) => {
      const index = values.indexOf(textOf(value));
      return index < 0 ? values.length : index;
    };
    const difference = place(a) - place(b);
    if (difference !== 0) return difference;
  }
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return collator.compare(textOf(a), textOf(b));
}

/**
 * Everything of an entity that can be searched, in lower case. Kept for as long as the entity is:
 * ten thousand of them are searched at every key that is pressed.
 */
const haystacks = new WeakMap<Entity, string>();
function haystack(entity: Entity): string {
  let text = haystacks.get(entity);
  if (text === undefined) {
    const parts: (JsonValue | undefined)[] = [
      entity.identifier,
      entity.title,
      entity.team,
      ...Object.values(entity.properties),
      ...Object.values(entity.relations),
    ];
    text = parts.map(textOf).join('\n').toLowerCase();
    haystacks.set(entity, text);
  }
  return text;
}

/** The entities in which every word occurs, in any property. */
export function search(entities: Entity[], text: string): Entity[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return entities;
  return entities.filter((entity) => words.every((word) => haystack(entity).includes(word)));
}

function single(column: Column, operator: Operator, value: JsonValue, wanted: string): boolean {
  const text = textOf(value).toLowerCase();
  switch (operator) {
    case 'contains':
      return text.includes(wanted.toLowerCase());
    case '>':
    case '<': {
      const [a, b] =
        column.kind === 'number'
          ? [Number(value), Number(wanted)]
          : [Date.parse(textOf(value)), Date.parse(wanted)];
      return operator === '>' ? a > b : a < b;
    }
    default:
      return text === wanted.toLowerCase();
  }
}

/** Whether an entity fits a rule. A rule without a value that it needs fits everything. */
export function fits(column: Column, { operator, values }: Rule, entity: Entity): boolean {
  const value = column.value(entity);
  if (operator === 'is empty') return isEmpty(value);
  if (operator === 'is not empty') return !isEmpty(value);
  if (values.length === 0) return true;
  if (operator === 'is not')
    return !fits(column, { column: column.id, operator: 'is', values }, entity);
  if (operator === 'does not contain') {
    return !fits(column, { column: column.id, operator: 'contains', values }, entity);
  }
  if (isEmpty(value)) return false;
  const items = Array.isArray(value) ? value : [value];
  return items.some((item) => values.some((wanted) => single(column, operator, item, wanted)));
}

/** The entities that fit every rule; a rule about a column that is gone is left out. */
export function filter(entities: Entity[], columns: Column[], rules: Rule[]): Entity[] {
  const known = rules.flatMap((rule) => {
    const column = columns.find(({ id }) => id === rule.column);
    return column === undefined ? [] : [{ rule, column }];
  });
  if (known.length === 0) return entities;
  return entities.filter((entity) => known.every(({ rule, column }) => fits(column, rule, entity)));
}
