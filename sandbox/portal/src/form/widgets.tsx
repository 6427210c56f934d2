/** The inputs of Port's own formats. */
import {
  Checkbox,
  Input,
  MultiSelect,
  Select,
  TagsInput,
  TextInput,
  Text,
  Title,
} from '@mantine/core';
import type { FieldProps, RegistryFieldsType, RegistryWidgetsType, WidgetProps } from '@rjsf/utils';
import { useQuery } from '@tanstack/react-query';
import dayjs from 'dayjs';
import { call, path } from '../api/client';
import { entitiesQuery, teamsQuery, usersQuery } from '../api/queries';
import type { Entity, JsonObject, JsonValue } from '../api/types';
import { CodeInput } from './CodeInput';
import { parse, write } from './text';

interface Choice {
  value: string;
  label: string;
}

const errorOf = (errors: string[] | undefined) =>
  errors !== undefined && errors.length > 0 ? errors.join('\n') : undefined;

const common = ({
  id,
  label,
  required,
  disabled,
  readonly,
  rawErrors,
  schema,
  value,
  onBlur,
}: WidgetProps<unknown>) => ({
  id,
  label,
  required,
  disabled: disabled || readonly,
  error: errorOf(rawErrors),
  description: schema.description,
  onBlur: () => onBlur(id, value),
});

function Choices(
  props: WidgetProps<unknown> & { data: Choice[]; loading: boolean; fault: Error | null },
) {
  const { options, onChange, data, loading, fault } = props;
  const value = props.value as unknown;
  const given = (Array.isArray(value) ? value : [value]) as unknown[];
  const chosen = given.filter((item): item is string => typeof item === 'string' && item !== '');
  const missing = chosen.filter((item) => !data.some((choice) => choice.value === item));
  const shared = {
    ...common(props),
    // What was chosen stays, even if it is not on offer any more.
    data: [...data, ...missing.map((item) => ({ value: item, label: item }))],
    searchable: true,
    limit: 100,
    placeholder: loading ? 'Loading…' : undefined,
    nothingFoundMessage: fault === null ? 'No match' : fault.message,
  };
  return options.many === true ? (
    <MultiSelect {...shared} value={chosen} onChange={(next) => onChange(next)} clearable />
  ) : (
    <Select
      {...shared}
      value={chosen[0] ?? null}
      onChange={(next) => onChange(next ?? undefined)}
      clearable={!props.required}
    />
  );
}

function UserWidget(props: WidgetProps<unknown>) {
  const users = useQuery(usersQuery);
  const data = (users.data ?? []).map(({ email, firstName, lastName }) => ({
    value: email,
    label: `${firstName} ${lastName} (${email})`,
  }));
  return <Choices {...props} data={data} loading={users.isPending} fault={users.error} />;
}

function TeamWidget(props: WidgetProps<unknown>) {
  const teams = useQuery(teamsQuery);
  const data = (teams.data ?? []).map(({ name }) => ({ value: name, label: name }));
  return <Choices {...props} data={data} loading={teams.isPending} fault={teams.error} />;
}

function EntityWidget(props: WidgetProps<unknown>) {
  const { blueprint, dataset } = props.options as {
    blueprint: string;
    dataset?: JsonObject | null;
  };
  const all = useQuery({ ...entitiesQuery(blueprint), enabled: !dataset });
  const some = useQuery({
    queryKey: ['choices', blueprint, dataset],
    enabled: Boolean(dataset),
    queryFn: async () => {
      const body = { limit: 1000, query: dataset, include: ['$title'] };
      const url = path`/v1/blueprints/${blueprint}/entities/search`;
      return (await call<{ entities: Entity[] }>('POST', url, body)).entities;
    },
  });
  const entities = dataset ? some : all;
  const data = (entities.data ?? []).map(({ identifier, title }) => ({
    value: identifier,
    label: title ?? identifier,
  }));
  return <Choices {...props} data={data} loading={entities.isPending} fault={entities.error} />;
}

function TagsWidget(props: WidgetProps<unknown>) {
  const { options, onChange } = props;
  const value = props.value as unknown;
  const known = options.known as string[] | undefined;
  const tags = (Array.isArray(value) ? value : []) as string[];
  return known === undefined ? (
    <TagsInput
      {...common(props)}
      value={tags}
      onChange={(next) => onChange(next)}
      acceptValueOnBlur
    />
  ) : (
    <MultiSelect {...common(props)} data={known} value={tags} onChange={(next) => onChange(next)} />
  );
}

function CheckboxWidget(props: WidgetProps<unknown>) {
  return (
    <Checkbox
      {...common(props)}
      checked={props.value === true}
      onChange={(event) => props.onChange(event.currentTarget.checked)}
    />
  );
}

function MomentWidget(props: WidgetProps<unknown>) {
  const moment = dayjs(props.value as string | undefined);
  return (
    <TextInput
      {...common(props)}
      type="datetime-local"
      step={1}
      value={props.value && moment.isValid() ? moment.format('YYYY-MM-DDTHH:mm:ss') : ''}
      onChange={({ currentTarget: { value } }) =>
        props.onChange(value === '' ? undefined : dayjs(value).toISOString())
      }
    />
  );
}

function YamlWidget(props: WidgetProps<unknown>) {
  const { id, label, schema, required, disabled, rawErrors, onChange } = props;
  const value = props.value as string | undefined;
  return (
    <CodeInput
      id={id}
      label={label}
      description={schema.description}
      required={required}
      disabled={disabled}
      errors={rawErrors}
      text={value ?? ''}
      format="yaml"
      onApply={(text, format) => {
        const parsed = format === 'json' ? parse(text, 'json') : null;
        const yaml = parsed?.ok ? write(parsed.value, 'yaml') : text;
        onChange(yaml.trim() === '' ? undefined : yaml);
      }}
    />
  );
}

function messages(errors: unknown): string[] {
  if (typeof errors !== 'object' || errors === null) return [];
  return Object.entries(errors).flatMap(([key, value]) =>
    key === '__errors' ? (value as string[]) : messages(value).map((text) => `${key}: ${text}`),
  );
}

function JsonField(props: FieldProps<unknown>) {
  const { fieldPathId, schema, uiSchema, required, disabled } = props;
  const { errorSchema, formData, onChange } = props;
  return (
    <CodeInput
      id={fieldPathId.$id}
      label={schema.title ?? props.name}
      description={schema.description}
      required={required}
      disabled={disabled}
      errors={messages(errorSchema)}
      secret={uiSchema?.['ui:options']?.secret === true}
      text={write(formData as JsonValue | undefined, 'json')}
      format="json"
      onApply={(text, format) => {
        const parsed = parse(text, format);
        const value = text.trim() !== '' && parsed.ok ? parsed.value : undefined;
        onChange(value, fieldPathId.path);
      }}
    />
  );
}

function HeadingField({ schema }: FieldProps<unknown>) {
  return (
    <Input.Wrapper>
      <Title order={3} size="h5" mt="xs">
        {schema.title}
      </Title>
      {schema.description !== undefined && (
        <Text size="sm" c="dimmed">
          {schema.description}
        </Text>
      )}
    </Input.Wrapper>
  );
}

export const widgets: RegistryWidgetsType = {
  CheckboxWidget,
  entity: EntityWidget,
  user: UserWidget,
  team: TeamWidget,
  tags: TagsWidget,
  moment: MomentWidget,
  yaml: YamlWidget,
};
export const fields: RegistryFieldsType = {
  json: JsonField,
  heading: HeadingField,
};
