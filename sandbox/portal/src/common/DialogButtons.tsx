import { Group } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './DialogButtons.module.css';

/** The buttons of a dialog, in sight however far it is scrolled. */
export function DialogButtons({ children }: { children: ReactNode }) {
  return (
    <Group
      justify="flex-end"
      className={classes.buttons}
      // A field that loses the focus is checked, and its fault would move the button from under
      // the pointer before the click.
      onMouseDown={(event) => event.preventDefault()}
    >
      {children}
    </Group>
  );
}
