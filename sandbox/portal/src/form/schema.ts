/** A form for react-jsonschema-form, of the inputs of an action. */
import type { RJSFSchema, UiSchema } from '@rjsf/utils';
import type { InputDefinition, JsonObject, UserInputs } from '../api/types';
import { isEmpty } from '../catalog/columns';

export interface Part {
  title: string | null;
  names: string[];
}

/** Titles stand between the inputs; a property of the form's schema holds the place of each. */
const TITLE = 'title ';

/** The steps that are visible, or the whole form as one part. */
export function partsOf(inputs: UserInputs): Part[] {
  const { properties, order, steps, titles = {} } = inputs;
  if (steps === undefined) {
    const known = new Set(order ?? []);
    const rest = Object.keys(properties).filter((name) => !known.has(name));
    return [{ title: null, names: [...(order ?? Object.keys(titles)), ...rest] }];
  }
  return steps
    .filter(({ visible }) => visible !== false)
    .map(({ title, order: names }) => ({ title, names }));
}

// What Port's inputs say in words of JSON Schema; the rest is about how they look.
const KEYWORDS = [
  'type',
  'title',
  'description',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'uniqueItems',
  'properties',
  'required',
  'additionalProperties',
  'patternProperties',
] as const;
const FORMATS: Record<string, string> = {
  'date-time': 'date-time',
  url: 'uri',
  email: 'email',
  user: 'email',
  ipv4: 'ipv4',
  ipv6: 'ipv6',
};

function schemaOf(name: string, definition: InputDefinition): RJSFSchema {
  const schema: Record<string, unknown> = { title: definition.title ?? name };
  for (const keyword of KEYWORDS) {
    const value = definition[keyword];
    // A jq query that has no answer sets no limit.
    if (value !== undefined && value !== null) schema[keyword] = value;
  }
  const format = definition.format === undefined ? undefined : FORMATS[definition.format];
  if (format !== undefined) schema.format = format;
  if (definition.items !== undefined) {
    const { title: _, ...items } = schemaOf('', definition.items);
    schema.items = items;
  } else if (definition.type === 'array') {
    schema.items = { type: 'string' };
  }
  return schema;
}

function widgetOf(definition: InputDefinition): UiSchema {
  const { type, format, items, encryption } = definition;
  if (type === 'object') {
    return definition.enum
      ? { 'ui:enumNames': definition.enum.map((value) => JSON.stringify(value)) }
      : { 'ui:field': 'json', 'ui:options': { secret: encryption !== undefined } };
  }
  if (type === 'array') {
    const element = items ?? { type: 'string' as const };
    if (element.type === 'object' || element.format === 'yaml') return { 'ui:field': 'json' };
    if (element.type !== 'string') return {};
    return (
      widgetWith(element, true) ?? { 'ui:widget': 'tags', 'ui:options': { known: element.enum } }
    );
  }
  if (type === 'boolean') return {};
  if (definition.enum) return {};
  if (encryption !== undefined && format !== 'multi-line') return { 'ui:widget': 'password' };
  if (format === 'yaml') return { 'ui:widget': 'yaml' };
  if (format === 'multi-line' || format === 'markdown') return { 'ui:widget': 'textarea' };
  if (format === 'date-time') return { 'ui:widget': 'moment' };
  return widgetWith(definition, false) ?? {};
}

function widgetWith({ format, blueprint, dataset }: InputDefinition, many: boolean) {
  if (format === 'entity')
    return { 'ui:widget': 'entity', 'ui:options': { blueprint, dataset, many } };
  if (format === 'user' || format === 'team')
    return { 'ui:widget': format, 'ui:options': { many } };
  return null;
}

/** The schema of one part of a form, with the values as they are now. */
export function formOf(inputs: UserInputs, part: Part, values: JsonObject) {
  const properties: Record<string, RJSFSchema> = {};
  const uiSchema: UiSchema = { 'ui:submitButtonOptions': { norender: true } };
  for (const name of part.names) {
    const title = inputs.titles?.[name];
    if (title !== undefined && title.visible !== false) {
      properties[TITLE + name] = { title: title.title, description: title.description };
      uiSchema[TITLE + name] = { 'ui:field': 'heading' };
    }
    const definition = inputs.properties[name];
    if (definition === undefined || definition.visible === false) continue;
    properties[name] = schemaOf(name, definition);
    const waits = (definition.dependsOn ?? []).some((other) => isEmpty(values[other]));
    uiSchema[name] = {
      ...widgetOf(definition),
      ...(waits || definition.disabled === true ? { 'ui:disabled': true } : {}),
    };
  }
  const required = (inputs.required ?? []).filter((name) => name in properties);
  return { schema: { type: 'object', properties, required } as RJSFSchema, uiSchema };
}
