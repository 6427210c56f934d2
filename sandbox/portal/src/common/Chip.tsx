import classes from './Chip.module.css';

/** A coloured value; `color` is one of Port's colour names. */
export function Chip({ label, color }: { label: string; color?: string }) {
  return (
    <span className={classes.chip} data-color={color ?? 'plain'} title={label}>
      {label}
    </span>
  );
}
