import type { RJSFValidationError } from '@rjsf/utils';
import { expect, it } from 'vitest';
import type { UserInputs } from '../api/types';
import { faultsByInput, inSentences, ofFields } from './sentences';

const inputs: UserInputs = {
  properties: {
    name: { type: 'string', title: 'Name', description: 'Only lower-case letters' },
    age: { type: 'number' },
  },
};
const error = (name: string, property: string, params = {}): RJSFValidationError => ({
  name,
  property,
  params,
  message: 'must be odd',
  stack: '',
});

it.each([
  [error('pattern', '.name'), 'Name: “A1” is not allowed. Only lower-case letters.'],
  [error('required', 'name'), 'Name is required.'],
  [error('minimum', '.age', { limit: 3 }), 'age must be 3 or more.'],
  [error('type', '.age', { type: 'number' }), 'age must be a number.'],
  [error('unheard', '.age'), 'age must be odd.'],
])('says what is wrong in a sentence: %j', (fault, sentence) => {
  const [found] = inSentences([fault], ['name', 'age'], inputs, { name: 'A1' });
  expect(found?.message).toBe(sentence);
});

it('puts the faults in the order of their fields', () => {
  const faults = [error('required', 'age'), error('required', 'name')];
  const found = inSentences(faults, ['name', 'age'], inputs, {});
  expect(found.map(({ property }) => property)).toEqual(['name', 'age']);
});

it('leaves out the faults of fields that were not left yet', () => {
  const faults = [error('required', 'age'), error('pattern', '.name')];
  expect(ofFields(faults, new Set(['name']))).toEqual([faults[1]]);
});

it('finds the input that each fault of the server is about', () => {
  const message = `"name": 'A' does not match '^[a-z]+$'; "age": 1 is odd; 'age' is a required property; else`;
  expect(faultsByInput(message, inputs)).toEqual({
    found: {
      name: ['Name: “A” is not allowed. Only lower-case letters.'],
      age: ['age: 1 is odd.', 'age is required.'],
    },
    rest: ['else'],
  });
});
