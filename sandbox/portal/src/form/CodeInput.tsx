/** An input whose value is JSON or YAML: what it holds, and a pencil that opens an editor. */
import {
  Button,
  Group,
  Input,
  SegmentedControl,
  Stack,
  Text,
  useMantineTheme,
} from '@mantine/core';
import { useDisclosure, useMediaQuery } from '@mantine/hooks';
import { IconPencil } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { DialogButtons } from '../common/DialogButtons';
import { GuardedModal } from '../common/GuardedModal';
import { keepFocus } from '../common/keepFocus';
import { CodeEditor } from './CodeEditor';
import classes from './CodeEditor.module.css';
import type { Format } from './text';
import { parse, write } from './text';

interface EditorProps {
  title: string;
  text: string;
  format: Format;
  onApply: (text: string, format: Format) => void;
  onClose: () => void;
  /** Whether the text is another one than at the beginning. */
  onDirty: (dirty: boolean) => void;
}

function Editor({ title, text, format, onApply, onClose, onDirty }: EditorProps) {
  const [draft, setDraft] = useState({ text, format });
  const dirty = draft.text !== text;
  useEffect(() => onDirty(dirty), [dirty, onDirty]);
  const isEmpty = draft.text.trim() === '';
  const parsed = parse(draft.text, draft.format);
  const fault = isEmpty || parsed.ok ? null : parsed.faults[0];
  const line = fault ? draft.text.slice(0, fault.from).split('\n').length : 0;
  const change = (next: Format) => {
    if (next === draft.format) return;
    // What cannot be read cannot be written in the other format.
    if (isEmpty) setDraft({ text: '', format: next });
    else if (parsed.ok) setDraft({ text: write(parsed.value, next), format: next });
  };
  return (
    <Stack>
      <Group justify="space-between">
        <SegmentedControl
          aria-label="Format"
          data={[
            { value: 'json', label: 'JSON', disabled: fault !== null && draft.format !== 'json' },
            { value: 'yaml', label: 'YAML', disabled: fault !== null && draft.format !== 'yaml' },
          ]}
          value={draft.format}
          onChange={(next) => change(next)}
        />
        <Text size="sm" role="status" c={fault === null ? 'dimmed' : 'red'} maw="100%">
          {fault === null ? 'Valid' : `Line ${line}: ${fault?.message}`}
        </Text>
      </Group>
      <CodeEditor
        key={draft.format}
        label={title}
        value={draft.text}
        format={draft.format}
        onChange={(next) => setDraft({ text: next, format: draft.format })}
        height="min(60vh, 560px)"
      />
      <DialogButtons>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button disabled={fault !== null} onClick={() => onApply(draft.text, draft.format)}>
          Apply
        </Button>
      </DialogButtons>
    </Stack>
  );
}

interface Props {
  id: string;
  label: string;
  description?: string;
  required?: boolean;
  disabled?: boolean;
  errors?: string[];
  /** Not shown beside the pencil: only who opens the editor sees it. */
  secret?: boolean;
  /** The value as text. */
  text: string;
  format: Format;
  onApply: (text: string, format: Format) => void;
}

export function CodeInput(props: Props) {
  const { id, label, description, required, disabled, errors = [], secret } = props;
  const { text, format, onApply } = props;
  const [opened, { open, close }] = useDisclosure(false, { onOpen: keepFocus });
  const [dirty, setDirty] = useState(false);
  const theme = useMantineTheme();
  const narrow = useMediaQuery(`(max-width: ${theme.breakpoints.sm})`);
  return (
    <Input.Wrapper
      label={label}
      description={description}
      required={required}
      error={errors.length > 0 ? errors.join('\n') : undefined}
      labelElement="div"
    >
      <Group gap="xs" align="flex-start" wrap="nowrap" mt={4}>
        <pre
          className={classes.preview}
          style={{ flex: 1 }}
          tabIndex={0}
          aria-label={`${label}: value`}
        >
          {text.trim() === '' ? 'Nothing yet' : secret ? '••••••••' : text}
        </pre>
        <Button
          id={id}
          variant="default"
          size="xs"
          leftSection={<IconPencil size={15} aria-hidden />}
          aria-label={`Edit ${label}`}
          disabled={disabled}
          onClick={open}
        >
          Edit
        </Button>
      </Group>
      <GuardedModal
        dirty={dirty}
        opened={opened}
        onClose={close}
        title={label}
        size={900}
        fullScreen={narrow}
      >
        <Editor
          title={label}
          text={text}
          format={format}
          onClose={close}
          onDirty={setDirty}
          onApply={(next, used) => {
            onApply(next, used);
            close();
          }}
        />
      </GuardedModal>
    </Input.Wrapper>
  );
}
