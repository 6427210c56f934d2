import { Alert, Button, Stack, Stepper, Switch, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import Form from '@rjsf/mantine';
import type { ErrorSchema } from '@rjsf/utils';
import validator from '@rjsf/validator-ajv8';
import { keepPreviousData, useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useMemo, useRef, useState } from 'react';
import { ApiError, call, path } from '../api/client';
import type { Action, Entity, JsonObject, Run, UserInputs } from '../api/types';
import { equal } from '../audit/diff';
import { DialogButtons } from '../common/DialogButtons';
import { Failed, Loading } from '../common/states';
import { runLink } from '../links';
import { CodeEditor } from './CodeEditor';
import { formOf, partsOf } from './schema';
import { faultsByInput, inSentences, ofFields } from './sentences';
import { parse, write } from './text';
import type { Typed } from './typed';
import { defined, typedIn } from './typed';
import { fields, widgets } from './widgets';

interface Props {
  action: Action;
  entity?: Entity;
  /** What is filled in already, as for executing a run once more. */
  initial?: JsonObject;
  /** Told whether something was typed that is not sent yet. */
  onDirty: (dirty: boolean) => void;
  onDone: () => void;
}

interface Shown {
  userInputs: UserInputs;
  defaults: JsonObject;
  faults: string[];
  refusal: string | null;
}

const BUTTONS = { CREATE: 'Create', 'DAY-2': 'Execute', DELETE: 'Delete' };

/** The inputs of an action, and executing it. */
export function ActionForm({ action, entity, initial, onDirty, onDone }: Props) {
  const navigate = useNavigate();
  const [typed, setTyped] = useState<Typed>(initial ?? {});
  const [step, setStep] = useState(0);
  const [code, setCode] = useState<string | null>(null);
  const [codeAtFirst, setCodeAtFirst] = useState('');
  const [confirmation, setConfirmation] = useState('');
  // A field is checked when it is left, all of them when the person goes on.
  const left = useRef(new Set<string>());
  const goesOn = useRef(false);
  const dirty =
    !equal(defined(typed), initial ?? {}) ||
    confirmation !== '' ||
    (code !== null && code !== codeAtFirst);
  useEffect(() => onDirty(dirty), [dirty, onDirty]);
  const [asked] = useDebouncedValue(typed, 150);
  const form = useQuery({
    queryKey: ['form', action.identifier, entity?.identifier ?? null, asked],
    queryFn: () =>
      call<Shown>('POST', path`/_sandbox/portal/forms/${action.identifier}`, {
        properties: defined(asked),
        ...(entity === undefined ? {} : { entity: entity.identifier }),
      }),
    placeholderData: keepPreviousData,
    gcTime: 0,
  });

  const values = useMemo(() => {
    const defaults = Object.entries(form.data?.defaults ?? {});
    const untouched = defaults.filter(([name]) => !(name in typed));
    return { ...Object.fromEntries(untouched), ...defined(typed) };
  }, [form.data, typed]);

  const execute = useMutation({
    mutationFn: (properties: JsonObject) =>
      call<{ run: Run }>('POST', path`/v1/actions/${action.identifier}/runs`, {
        properties,
        ...(entity === undefined ? {} : { entity: entity.identifier }),
      }),
    onSuccess: ({ run }) => {
      notifications.show({ message: `${action.title ?? action.identifier} was started.` });
      onDone();
      void navigate(runLink(run.id));
    },
    onError: (error) => {
      const first = Object.keys(serverFaults(error, form.data?.userInputs).found)[0];
      const place = parts.findIndex(({ names }) => first !== undefined && names.includes(first));
      if (place >= 0) setStep(place);
    },
  });

  const inputs = form.data?.userInputs;
  const parts = useMemo(() => (inputs === undefined ? [] : partsOf(inputs)), [inputs]);
  const current = Math.min(step, Math.max(0, parts.length - 1));
  const part = parts[current];
  const built = useMemo(
    () => (inputs === undefined || part === undefined ? null : formOf(inputs, part, values)),
    [inputs, part, values],
  );
  const refused = useMemo(() => serverFaults(execute.error, inputs), [execute.error, inputs]);
  const extraErrors = useMemo(
    () =>
      Object.fromEntries(
        Object.entries(refused.found).map(([name, list]) => [name, { __errors: list }]),
      ) as ErrorSchema,
    [refused],
  );

  if (form.isPending) return <Loading what="the form" />;
  if (form.isError) return <Failed error={form.error} retry={() => void form.refetch()} />;
  if (built === null || part === undefined || inputs === undefined) return null;

  const { operation, executeActionButtonText } = action.trigger;
  const isBare = Object.keys(inputs.properties).length === 0;
  const name = entity?.identifier ?? '';
  const mustType = isBare && operation === 'DELETE';
  const isLast = current === parts.length - 1;
  const codeValue = code === null ? null : parse(code, 'json');
  const isObject = (value: unknown): value is JsonObject =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const blocked =
    form.data.refusal !== null ||
    (mustType && confirmation !== name) ||
    (codeValue !== null && !(codeValue.ok && isObject(codeValue.value)));

  const submit = () => {
    if (code !== null) {
      if (codeValue?.ok && isObject(codeValue.value)) execute.mutate(codeValue.value);
    } else if (isLast) execute.mutate(values);
    else goTo(current + 1);
  };
  const goTo = (next: number) => {
    goesOn.current = false;
    setStep(next);
  };
  const toggleCode = (on: boolean) => {
    if (on) {
      setCode(write(values, 'json'));
      setCodeAtFirst(write(values, 'json'));
    } else {
      if (codeValue?.ok && isObject(codeValue.value)) {
        setTyped(typedIn(values, codeValue.value, typed));
      }
      setCode(null);
    }
  };

  const formId = 'action-form';
  return (
    <Stack gap="md">
      {action.description !== undefined && (
        <Text size="sm" c="dimmed">
          {action.description}
        </Text>
      )}
      {form.data.refusal !== null && <Alert color="yellow">{form.data.refusal}</Alert>}
      {form.data.faults.map((fault) => (
        <Alert key={fault} color="yellow" title="A part of this form could not be loaded">
          {fault}
        </Alert>
      ))}
      {entity !== undefined && (
        <Text>
          {isBare ? `${action.title ?? action.identifier}: are you sure? It is for ` : 'For '}
          <b>{entity.title ?? entity.identifier}</b>
          {action.requiredApproval !== false && ', and needs an approval'}.
        </Text>
      )}
      {!isBare && (
        <Switch
          label="JSON mode"
          checked={code !== null}
          disabled={codeValue !== null && !codeValue.ok}
          onChange={(event) => toggleCode(event.currentTarget.checked)}
        />
      )}
      {code === null && parts.length > 1 && (
        <Stepper active={current} onStepClick={goTo} size="xs" allowNextStepsSelect={false}>
          {parts.map(({ title }, index) => (
            <Stepper.Step key={index} label={title} />
          ))}
        </Stepper>
      )}
      {code !== null ? (
        <CodeEditor
          label="Inputs as JSON"
          value={code}
          format="json"
          onChange={setCode}
          height="340px"
        />
      ) : (
        !isBare && (
          <div onSubmitCapture={() => (goesOn.current = true)}>
            <Form
              key={current}
              id={formId}
              idPrefix="input"
              schema={built.schema}
              uiSchema={built.uiSchema}
              formData={values}
              validator={validator}
              widgets={widgets}
              fields={fields}
              extraErrors={extraErrors}
              liveValidate="onBlur"
              transformErrors={(errors) =>
                inSentences(
                  goesOn.current ? errors : ofFields(errors, left.current),
                  part.names,
                  inputs,
                  values,
                )
              }
              showErrorList={false}
              focusOnFirstError
              noHtml5Validate
              experimental_defaultFormStateBehavior={{
                emptyObjectFields: 'skipDefaults',
                arrayMinItems: { populate: 'never' },
              }}
              onChange={({ formData }) => {
                if (execute.isError) execute.reset();
                setTyped((now) => typedIn(values, (formData ?? {}) as Typed, now));
              }}
              // Without this the form writes them to the console; they stand at the fields.
              onError={() => undefined}
              onBlur={(id) => left.current.add(id.replace(/^input_/, ''))}
              onSubmit={submit}
            />
          </div>
        )
      )}
      {mustType && (
        <TextInput
          label={`Type ${name} to confirm`}
          value={confirmation}
          onChange={(event) => setConfirmation(event.currentTarget.value)}
          data-autofocus
        />
      )}
      {execute.isError && (refused.rest.length > 0 || code !== null) && (
        <Alert color="red" title="The server refused this" role="alert">
          {[...(code === null ? [] : Object.values(refused.found).flat()), ...refused.rest].join(
            ' ',
          )}
        </Alert>
      )}
      <DialogButtons>
        {code === null && current > 0 && (
          <Button variant="default" onClick={() => goTo(current - 1)}>
            Back
          </Button>
        )}
        <Button variant="default" onClick={onDone}>
          Cancel
        </Button>
        <Button
          {...(isBare || code !== null ? { onClick: submit } : { type: 'submit', form: formId })}
          color={operation === 'DELETE' ? 'red' : undefined}
          disabled={blocked}
          loading={execute.isPending}
        >
          {isLast || code !== null ? (executeActionButtonText ?? BUTTONS[operation]) : 'Next'}
        </Button>
      </DialogButtons>
    </Stack>
  );
}

function serverFaults(error: Error | null, inputs: UserInputs | undefined) {
  if (error === null) return { found: {}, rest: [] };
  if (!(error instanceof ApiError) || error.code !== 'user_inputs_schema_invalid') {
    return { found: {}, rest: [error.message] };
  }
  return faultsByInput(error.message, inputs ?? { properties: {} });
}
