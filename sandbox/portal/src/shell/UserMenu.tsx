import {
  ActionIcon,
  Avatar,
  Menu,
  Modal,
  UnstyledButton,
  useComputedColorScheme,
  useMantineColorScheme,
  VisuallyHidden,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconLogout, IconMoon, IconSun, IconUsers } from '@tabler/icons-react';
import classes from './UserMenu.module.css';
import { PersonList } from '../session/SignIn';
import { useMe, useSession } from '../session/session';

export function ColorScheme() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label={`Switch to ${other} colours`}
      title={`Switch to ${other} colours`}
      onClick={() => setColorScheme(other)}
    >
      {scheme === 'dark' ? <IconSun size={18} /> : <IconMoon size={18} />}
    </ActionIcon>
  );
}

/** The signed-in person, with a menu to switch the user or to sign out. */
export function UserMenu() {
  const me = useMe();
  const { signOut } = useSession();
  const [opened, { open, close }] = useDisclosure();
  return (
    <>
      <Menu position="bottom-end" width={260}>
        <Menu.Target>
          <UnstyledButton
            style={{ display: 'flex', alignItems: 'center', gap: 8, borderRadius: 8 }}
          >
            <Avatar name={me.name} color="indigo" variant="filled" size={32} aria-hidden />
            <VisuallyHidden>You are</VisuallyHidden>
            <span className={classes.name}>{me.name}</span>
            <VisuallyHidden>Account menu</VisuallyHidden>
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>
            {me.email}
            <br />
            {[...me.roles, ...me.teamsIdentifiers].join(' · ')}
          </Menu.Label>
          <Menu.Item leftSection={<IconUsers size={16} />} onClick={open}>
            Switch user
          </Menu.Item>
          <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void signOut()}>
            Sign out
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={opened} onClose={close} title="Switch user">
        <PersonList onDone={close} />
      </Modal>
    </>
  );
}
