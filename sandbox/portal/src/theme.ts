import {
  createTheme,
  Menu,
  Modal,
  MultiSelect,
  Notification,
  NumberInput,
  Portal,
  Select,
  TagsInput,
} from '@mantine/core';
import type { MantineColorsTuple } from '@mantine/core';

// Mantine's own shades of these are too pale for white text on them, or for them on white.
const RED: MantineColorsTuple = [
  '#fff0ef', '#ffdddb', '#ffc0bd', '#ff9c97', '#f5726b', '#e5483f', '#cf2f27', '#bd241d', '#b3201a', '#9c1a15',
]; // prettier-ignore
const GREEN: MantineColorsTuple = [
  '#ecf9ee', '#d6f3d9', '#b3e5b9', '#8ad494', '#5fbf6d', '#3ba34b', '#2b8439', '#23722f', '#1f672a', '#185621',
]; // prettier-ignore

// The list itself scrolls: a box around it would be one that no key reaches.
const LIST = {
  withScrollArea: false,
  styles: { options: { maxHeight: 250, overflowY: 'auto' } },
} as const;

export const theme = createTheme({
  primaryColor: 'indigo',
  // The shades whose text has a contrast of 4.5 on either background.
  primaryShade: { light: 7, dark: 8 },
  colors: { red: RED, green: GREEN },
  defaultRadius: 'md',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", Menlo, monospace',
  cursorType: 'pointer',
  components: {
    // Within a landmark, where who navigates by them finds menus and dialogs.
    Portal: Portal.extend({ defaultProps: { target: '#overlays' } }),
    Modal: Modal.extend({ defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } }),
    Notification: Notification.extend({
      defaultProps: { closeButtonProps: { 'aria-label': 'Close' } },
    }),
    // The field shows an error for a number out of range; it must not replace what the user typed.
    NumberInput: NumberInput.extend({ defaultProps: { clampBehavior: 'none' } }),
    Select: Select.extend({ defaultProps: LIST }),
    MultiSelect: MultiSelect.extend({ defaultProps: LIST }),
    TagsInput: TagsInput.extend({ defaultProps: LIST }),
    // A menu may hold only its items.
    Menu: Menu.extend({ defaultProps: { withInitialFocusPlaceholder: false } }),
  },
});
