/** What is wrong with an input, as sentences that name it by its title. */
import type { RJSFValidationError } from '@rjsf/utils';
import type { InputDefinition, JsonObject, UserInputs } from '../api/types';
import { asText } from '../common/asText';

const KINDS: Record<string, string> = {
  string: 'text',
  number: 'a number',
  boolean: 'yes or no',
  object: 'an object',
  array: 'a list',
};
const FORMATS: Record<string, string> = {
  'date-time': 'a date with a time',
  uri: 'an address such as https://example.com',
  email: 'an e-mail address',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
};

type Params = Record<string, string | number>;

const MESSAGES: Record<string, (params: Params) => string> = {
  required: () => 'is required.',
  type: ({ type }) => `must be ${KINDS[type ?? ''] ?? type}.`,
  format: ({ format }) => `must be ${FORMATS[format ?? ''] ?? format}.`,
  minLength: ({ limit }) => `must have at least ${limit} characters.`,
  maxLength: ({ limit }) => `must have at most ${limit} characters.`,
  minimum: ({ limit }) => `must be ${limit} or more.`,
  maximum: ({ limit }) => `must be ${limit} or less.`,
  minItems: ({ limit }) => `must have at least ${limit} entries.`,
  maxItems: ({ limit }) => `must have at most ${limit} entries.`,
  uniqueItems: () => 'must not have the same entry twice.',
  enum: () => 'must be one of the listed values.',
};

const titleOf = (name: string, definition: InputDefinition | undefined) =>
  definition?.title ?? name;

/** A pattern says nothing to a person, so the input's description explains what is allowed. */
function wrongForm(name: string, definition: InputDefinition | undefined, value: string) {
  const explained = definition?.description === undefined ? '' : ` ${definition.description}.`;
  return `${titleOf(name, definition)}: “${value}” is not allowed.${explained}`;
}

const nameOf = ({ property }: RJSFValidationError) => property?.split('.').find(Boolean) ?? '';

/** The validator's faults, in the order of their fields: the first one is where the focus goes. */
export function inSentences(
  errors: RJSFValidationError[],
  names: string[],
  inputs: UserInputs,
  values: JsonObject,
): RJSFValidationError[] {
  const sentence = (error: RJSFValidationError) => {
    const name = nameOf(error);
    const definition = inputs.properties[name];
    if (error.name === 'pattern') return wrongForm(name, definition, asText(values[name]) ?? '');
    const said = MESSAGES[error.name ?? '']?.(error.params as Params) ?? `${error.message}.`;
    return `${titleOf(name, definition)} ${said}`;
  };
  return errors
    .toSorted((a, b) => names.indexOf(nameOf(a)) - names.indexOf(nameOf(b)))
    .map((error) => ({ ...error, message: sentence(error) }));
}

/** Only the faults of fields that the person has left already. */
export const ofFields = (errors: RJSFValidationError[], left: ReadonlySet<string>) =>
  errors.filter((error) => left.has(nameOf(error)));

/**
 * The server's faults by input. It writes each as `"name": what is wrong`, and a missing input as
 * `'name' is a required property`.
 */
export function faultsByInput(message: string, { properties }: Pick<UserInputs, 'properties'>) {
  const found: Record<string, string[]> = {};
  const rest: string[] = [];
  for (const fault of message.split('; ')) {
    const [, name, said] = /^"([^".]+)[^"]*": (.*)$/s.exec(fault) ?? [];
    const missing = /^'(.+)' is a required property$/.exec(fault)?.[1];
    if (name !== undefined && name in properties) {
      const value = /^'(.*)' does not match '/s.exec(said ?? '')?.[1];
      const definition = properties[name];
      (found[name] ??= []).push(
        value === undefined
          ? `${titleOf(name, definition)}: ${said}.`
          : wrongForm(name, definition, value),
      );
    } else if (missing !== undefined && missing in properties)
      (found[missing] ??= []).push(`${titleOf(missing, properties[missing])} is required.`);
    else rest.push(fault);
  }
  return { found, rest };
}
