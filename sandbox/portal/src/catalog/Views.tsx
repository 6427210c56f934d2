import {
  ActionIcon,
  Alert,
  Button,
  Checkbox,
  Group,
  Popover,
  Stack,
  Text,
  TextInput,
} from '@mantine/core';
import { IconBookmark, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { call, path } from '../api/client';
import type { SavedView } from '../api/queries';
import { viewsQuery } from '../api/queries';
import { useMe } from '../session/session';
import type { View } from './view';
import { parseView } from './view';

interface Props {
  blueprint: string;
  view: View;
  onChange: (view: Partial<View>) => void;
}

const NOTHING: View = {
  view: undefined,
  q: undefined,
  group: undefined,
  sort: undefined,
  filter: undefined,
  hide: undefined,
};

/** The views that were saved, and saving this one. */
export function Views({ blueprint, view, onChange }: Props) {
  const client = useQueryClient();
  const me = useMe();
  const [opened, setOpened] = useState(false);
  const [title, setTitle] = useState('');
  const [shared, setShared] = useState(false);
  const views = useQuery(viewsQuery(blueprint));
  const again = () => client.invalidateQueries({ queryKey: viewsQuery(blueprint).queryKey });
  const save = useMutation({
    mutationFn: () => {
      const body = { title: title.trim(), shared, state: { ...view, view: undefined } };
      return call<{ view: SavedView }>('POST', path`/_sandbox/portal/views/${blueprint}`, body);
    },
    onSuccess: async ({ view: saved }) => {
      setTitle('');
      await again();
      onChange({ view: saved.id });
    },
  });
  const remove = useMutation({
    mutationFn: (id: string) => call('DELETE', path`/_sandbox/portal/views/${blueprint}/${id}`),
    onSuccess: again,
  });
  const isAdmin = me.roles.includes('Admin');
  const current = views.data?.find(({ id }) => id === view.view);
  const fault = views.error ?? save.error ?? remove.error;
  return (
    <Popover opened={opened} onChange={setOpened} width={320} trapFocus withArrow shadow="md">
      <Popover.Target>
        <Button
          size="xs"
          variant={current ? 'light' : 'default'}
          leftSection={<IconBookmark size={15} aria-hidden />}
          onClick={() => setOpened(!opened)}
        >
          {current?.title ?? 'Views'}
        </Button>
      </Popover.Target>
      <Popover.Dropdown maw="calc(100vw - 16px)" aria-label="Views">
        <Stack gap="xs">
          {fault !== null && <Alert color="red">{fault.message}</Alert>}
          {views.data?.length === 0 && <Text size="sm">No saved views yet.</Text>}
          {views.data?.map((saved) => (
            <Group key={saved.id} gap={4} wrap="nowrap">
              <Button
                size="xs"
                flex={1}
                justify="flex-start"
                variant={saved.id === view.view ? 'light' : 'subtle'}
                onClick={() => {
                  onChange({ ...NOTHING, ...parseView(saved.state), view: saved.id });
                  setOpened(false);
                }}
              >
                {saved.title}
                {saved.shared ? ' · for all users' : ''}
              </Button>
              {(saved.mine || isAdmin) && (
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  aria-label={`Delete the view ${saved.title}`}
                  onClick={() => remove.mutate(saved.id)}
                >
                  <IconTrash size={16} />
                </ActionIcon>
              )}
            </Group>
          ))}
          <form
            onSubmit={(event) => {
              event.preventDefault();
              save.mutate();
            }}
          >
            <Stack gap="xs">
              <TextInput
                size="xs"
                label="Save this view as"
                maxLength={100}
                value={title}
                onChange={(event) => setTitle(event.currentTarget.value)}
              />
              {isAdmin && (
                <Checkbox
                  size="xs"
                  label="For all users"
                  checked={shared}
                  onChange={(event) => setShared(event.currentTarget.checked)}
                />
              )}
              <Button
                size="xs"
                type="submit"
                disabled={title.trim() === ''}
                loading={save.isPending}
              >
                Save view
              </Button>
            </Stack>
          </form>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
