import { Button, Popover } from '@mantine/core';
import type { Icon } from '@tabler/icons-react';
import type { ReactNode } from 'react';

interface Props {
  Icon: Icon;
  label: string;
  /** How much of it there is. */
  count?: number;
  children: ReactNode;
}

/** A button of the toolbar that opens a panel. */
export function ToolButton({ Icon: Picture, label, count, children }: Props) {
  const used = count !== undefined && count > 0;
  return (
    <Popover position="bottom-start" width={420} trapFocus withArrow shadow="md">
      <Popover.Target>
        <Button
          size="xs"
          variant={used ? 'light' : 'default'}
          leftSection={<Picture size={15} aria-hidden />}
        >
          {used ? `${label} (${count})` : label}
        </Button>
      </Popover.Target>
      <Popover.Dropdown maw="calc(100vw - 16px)" aria-label={label}>
        {children}
      </Popover.Dropdown>
    </Popover>
  );
}
