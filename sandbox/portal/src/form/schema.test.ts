import { describe, expect, it } from 'vitest';
import type { UserInputs } from '../api/types';
import { formOf, partsOf } from './schema';

const inputs: UserInputs = {
  properties: {
    name: { type: 'string', title: 'Name', pattern: '^[a-z]+$', format: 'yaml' },
    owner: { type: 'string', format: 'user' },
    values: { type: 'object', visible: false },
    secret: { type: 'string', encryption: 'aes256-gcm' },
    note: { type: 'string', format: 'multi-line', encryption: 'aes256-gcm' },
    secrets: { type: 'object', encryption: 'aes256-gcm' },
    service: { type: 'string', format: 'entity', blueprint: 'service', dependsOn: ['name'] },
    services: {
      type: 'array',
      items: { type: 'string', format: 'entity', blueprint: 'service' },
    },
    limit: { type: 'array', maxItems: null },
  },
  required: ['name', 'values'],
  titles: { basics: { title: 'Basics' }, gone: { title: 'Gone', visible: false } },
  order: ['basics', 'gone', 'name', 'owner'],
};
const [whole] = partsOf(inputs);
if (whole === undefined) throw new Error('A form has at least one part.');

describe('partsOf', () => {
  it('puts what has no place in the order behind it', () => {
    expect(whole.names.slice(0, 5)).toEqual(['basics', 'gone', 'name', 'owner', 'values']);
  });

  it('leaves out steps that are not visible', () => {
    const steps = [
      { title: 'One', order: ['name'] },
      { title: 'Two', order: ['owner'], visible: false },
    ];
    expect(partsOf({ ...inputs, order: undefined, steps })).toEqual([
      { title: 'One', names: ['name'] },
    ]);
  });
});

describe('formOf', () => {
  const { schema, uiSchema } = formOf(inputs, whole, {});

  it('shows only what is visible, and requires only that', () => {
    expect(schema.properties).not.toHaveProperty('values');
    expect(schema.properties).not.toHaveProperty('title gone');
    expect(schema.required).toEqual(['name']);
  });

  it('says to the validator only what JSON Schema knows', () => {
    expect(schema.properties?.name).toEqual({ type: 'string', title: 'Name', pattern: '^[a-z]+$' });
    expect(schema.properties?.limit).not.toHaveProperty('maxItems');
  });

  it('has an input for each format', () => {
    expect(uiSchema.name).toMatchObject({ 'ui:widget': 'yaml' });
    expect(uiSchema.owner).toMatchObject({ 'ui:widget': 'user', 'ui:options': { many: false } });
    expect(uiSchema.services).toMatchObject({
      'ui:widget': 'entity',
      'ui:options': { many: true },
    });
    expect(uiSchema['title basics']).toMatchObject({ 'ui:field': 'heading' });
  });

  it('masks what is secret, but not a text of several lines', () => {
    expect(uiSchema.secret).toMatchObject({ 'ui:widget': 'password' });
    expect(uiSchema.note).toMatchObject({ 'ui:widget': 'textarea' });
    expect(uiSchema.secrets).toMatchObject({ 'ui:options': { secret: true } });
  });

  it('disables an input until the one that it depends on is filled in', () => {
    expect(uiSchema.service).toMatchObject({ 'ui:disabled': true });
    expect(formOf(inputs, whole, { name: 'a' }).uiSchema.service).not.toHaveProperty('ui:disabled');
  });
});
