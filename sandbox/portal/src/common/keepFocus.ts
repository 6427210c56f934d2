/**
 * Marks what has the focus, so that its dialog focuses it again when one above it closes. A focus
 * trap looks for this mark whenever it becomes active.
 */
export function keepFocus(): void {
  const focused = document.activeElement;
  const dialog = focused?.closest('[role="dialog"]');
  dialog?.querySelectorAll('[data-autofocus]').forEach((one) => {
    one.removeAttribute('data-autofocus');
  });
  focused?.setAttribute('data-autofocus', 'true');
}
