import { Button, Menu, Text } from '@mantine/core';
import { IconChevronDown, IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { actionsQuery } from '../api/queries';
import type { Blueprint } from '../api/types';
import { useActionDialog } from '../form/dialog';

/** The actions that create an entity of this blueprint. */
export function CreateMenu({ blueprint }: { blueprint: Blueprint }) {
  const actions = useQuery(actionsQuery(blueprint.identifier));
  const execute = useActionDialog();
  const create = (actions.data ?? []).filter(({ trigger }) => trigger.operation === 'CREATE');
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
        {create.length === 0 && <Menu.Label>There is no action for this</Menu.Label>}
        {create.map((action) => (
          <Menu.Item
            key={action.identifier}
            disabled={action.refusal !== null}
            title={action.refusal ?? undefined}
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
