/** Values for the tests. */
import type { Blueprint, Entity, JsonObject, PropertyDefinition } from '../api/types';

const AUTHORED = {
  createdAt: '2026-01-01T00:00:00.000Z',
  createdBy: 'auth0|dana',
  updatedAt: '2026-01-02T00:00:00.000Z',
  updatedBy: 'auth0|dana',
};

export function makeBlueprint(
  properties: Record<string, PropertyDefinition>,
  rest: Partial<Blueprint> = {},
): Blueprint {
  return {
    identifier: 'thing',
    title: 'Thing',
    schema: { properties, required: [] },
    calculationProperties: {},
    mirrorProperties: {},
    relations: {},
    ...AUTHORED,
    ...rest,
  };
}

export function makeEntity(identifier: string, properties: JsonObject = {}): Entity {
  return {
    identifier,
    title: identifier,
    blueprint: 'thing',
    team: [],
    properties,
    relations: {},
    ...AUTHORED,
  };
}
