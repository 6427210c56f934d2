import { ActionIcon, Button, Loader, Menu, Modal, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconChevronDown, IconDots } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import { call, path } from '../api/client';
import { actionsQuery } from '../api/queries';
import type { Action, Blueprint, Entity } from '../api/types';
import { refusalOf } from '../approvals/refusal';
import { DialogButtons } from '../common/DialogButtons';
import { Reason } from '../common/Reason';
import { useActionDialog } from '../form/dialog';
import { useMe } from '../session/session';
import classes from './RowMenu.module.css';
import { entityLink } from '../links';

interface Props {
  blueprint: Blueprint;
  entity: Entity;
  /** On the entity's own page, as a button that says so. */
  onPage?: boolean;
}

function Items({ blueprint, entity, onUnregister }: Props & { onUnregister: () => void }) {
  const actions = useQuery(actionsQuery(blueprint.identifier, entity.identifier));
  const execute = useActionDialog();
  const me = useMe();
  const item = (action: Action) => {
    const refusal = refusalOf(action, entity, me);
    return (
      <Menu.Item
        key={action.identifier}
        disabled={refusal !== null}
        title={action.description}
        c={action.trigger.operation === 'DELETE' ? 'var(--mantine-color-error)' : undefined}
        onClick={() => execute(action, entity)}
      >
        {action.title ?? action.identifier}
        <Reason text={refusal} />
      </Menu.Item>
    );
  };
  const of = (operation: string) =>
    (actions.data ?? []).filter(({ trigger }) => trigger.operation === operation).map(item);
  if (actions.isPending) {
    return (
      <Menu.Label>
        <Loader size="xs" aria-label="Loading the actions" />
      </Menu.Label>
    );
  }
  const daily = of('DAY-2');
  return (
    <>
      {actions.isError && <Menu.Label>{actions.error.message}</Menu.Label>}
      {daily.length > 0 && (
        <>
          <Menu.Label>Day-2 operations</Menu.Label>
          {daily}
          <Menu.Divider />
        </>
      )}
      <Menu.Label>Deletion</Menu.Label>
      {of('DELETE')}
      <Menu.Item
        c="var(--mantine-color-error)"
        disabled={!me.roles.includes('Admin')}
        onClick={onUnregister}
      >
        Unregister
        <Reason
          text={me.roles.includes('Admin') ? null : 'Only administrators can unregister entities.'}
        />
      </Menu.Item>
    </>
  );
}

function Unregister({ blueprint, entity, onClose }: Props & { onClose: () => void }) {
  const [typed, setTyped] = useState('');
  const remove = useMutation({
    mutationFn: () =>
      call('DELETE', path`/v1/blueprints/${blueprint.identifier}/entities/${entity.identifier}`),
    onSuccess: () => {
      notifications.show({ message: `${entity.identifier} is unregistered.` });
      onClose();
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        remove.mutate();
      }}
    >
      <Stack>
        <Text size="sm">
          This removes the entity from the catalogue. Its files and resources do not change.
        </Text>
        <TextInput
          label={`Type ${entity.identifier} to confirm`}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          error={remove.error?.message}
          data-autofocus
        />
        <DialogButtons>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button
            type="submit"
            color="red"
            disabled={typed !== entity.identifier}
            loading={remove.isPending}
          >
            Unregister
          </Button>
        </DialogButtons>
      </Stack>
    </form>
  );
}

/**
 * The actions on an entity. In a row it is only a button until the user opens it, because a menu in
 * each row makes scrolling slow.
 */
export function RowMenu(props: Props) {
  const [wanted, setWanted] = useState(props.onPage === true);
  if (wanted) return <FullMenu {...props} />;
  return (
    <button
      type="button"
      className={classes.more}
      aria-haspopup="menu"
      aria-label={labelOf(props.entity)}
      onClick={() => setWanted(true)}
    >
      <IconDots size={18} />
    </button>
  );
}

const labelOf = ({ title, identifier }: Entity) =>
  `Actions of ${title ?? identifier}`.slice(0, 200);

function FullMenu({ blueprint, entity, onPage = false }: Props) {
  const [opened, setOpened] = useState(!onPage);
  const target = useRef<HTMLButtonElement>(null);
  // The button that had the focus before gave way to this menu's own.
  const close = () => target.current?.focus();
  const [unregistering, setUnregistering] = useState(false);
  return (
    <>
      <Menu opened={opened} onChange={setOpened} onClose={close} position="bottom-end" width={260}>
        <Menu.Target>
          {onPage ? (
            <Button
              ref={target}
              variant="default"
              rightSection={<IconChevronDown size={16} aria-hidden />}
              style={{ flexShrink: 0 }}
            >
              Actions
            </Button>
          ) : (
            <ActionIcon ref={target} variant="subtle" color="gray" aria-label={labelOf(entity)}>
              <IconDots size={18} />
            </ActionIcon>
          )}
        </Menu.Target>
        <Menu.Dropdown>
          {!onPage && (
            <>
              <Menu.Item
                renderRoot={(props) => (
                  <Link {...entityLink(blueprint.identifier, entity.identifier)} {...props} />
                )}
              >
                View details
              </Menu.Item>
              <Menu.Divider />
            </>
          )}
          {opened && (
            <Items
              blueprint={blueprint}
              entity={entity}
              onUnregister={() => setUnregistering(true)}
            />
          )}
        </Menu.Dropdown>
      </Menu>
      <Modal
        opened={unregistering}
        onClose={() => setUnregistering(false)}
        title={`Unregister ${entity.title ?? entity.identifier}`.slice(0, 200)}
      >
        <Unregister blueprint={blueprint} entity={entity} onClose={() => setUnregistering(false)} />
      </Modal>
    </>
  );
}
