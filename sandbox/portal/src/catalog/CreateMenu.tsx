import { Button, Menu, Text } from '@mantine/core';
import { IconChevronDown, IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { actionsQuery } from '../api/queries';
import type { Action, Blueprint } from '../api/types';
import { useActionDialog } from '../form/dialog';

export const creates = ({ trigger }: Action) => trigger.operation === 'CREATE';

/** The actions that create an entity of this blueprint. */
export function CreateMenu({ blueprint }: { blueprint: Blueprint }) {
  const actions = useQuery(actionsQuery(blueprint.identifier));
  const execute = useActionDialog();
  const create = (actions.data ?? []).filter(creates);
  if (create.length === 0) return null;
  return (
    <Menu position="bottom-end" width={300}>
      <Menu.Target>
        <Button
          leftSection={<IconPlus size={16} aria-hidden />}
          rightSection={<IconChevronDown size={16} aria-hidden />}
        >
          {blueprint.title}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {create.map((action) => (
          <Menu.Item
            key={action.identifier}
            disabled={action.refusal !== null}
            onClick={() => execute(action)}
          >
            {action.title ?? action.identifier}
            <Text size="xs" c="dimmed">
              {action.refusal ?? action.description}
            </Text>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
