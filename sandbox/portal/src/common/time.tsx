import dayjs from 'dayjs';
import relativeTime from 'dayjs/plugin/relativeTime';
import { useSyncExternalStore } from 'react';

dayjs.extend(relativeTime);

const STEP = 20_000;
const listeners = new Set<() => void>();
let now = Date.now();
let timer: number | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= window.setInterval(() => {
    now = Date.now();
    listeners.forEach((each) => each());
  }, STEP);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      window.clearInterval(timer);
      timer = undefined;
    }
  };
}

/** `2 minutes ago`; text that is not a time stays unchanged. */
export function relative(moment: string, reference: number): string {
  const parsed = dayjs(moment);
  return parsed.isValid() ? parsed.from(reference) : moment;
}

export function absolute(moment: string): string {
  const parsed = dayjs(moment);
  return parsed.isValid() ? parsed.format('DD MMM YYYY HH:mm:ss Z') : moment;
}

/** How long something took, of two moments: `1 min 5 s`. */
export function duration(from: string, to: string | number): string {
  const seconds = Math.max(0, Math.round((dayjs(to).valueOf() - dayjs(from).valueOf()) / 1000));
  const [days, hours, minutes] = [seconds / 86_400, (seconds / 3600) % 24, (seconds / 60) % 60];
  const parts = [
    [Math.floor(days), 'd'],
    [Math.floor(hours), 'h'],
    [Math.floor(minutes), 'min'],
    [seconds % 60, 's'],
  ].filter(([count]) => count !== 0);
  return parts.length === 0
    ? '0 s'
    : parts
        .slice(0, 2)
        .map((part) => part.join(' '))
        .join(' ');
}

const SECOND = 1000;
const seconds = (listener: () => void) => {
  const each = window.setInterval(listener, SECOND);
  return () => window.clearInterval(each);
};
const thisSecond = () => Math.floor(Date.now() / SECOND) * SECOND;
const never = () => () => undefined;

/** How long something took, or has taken so far: counts as long as it goes on. */
export function Elapsed({ from, to }: { from: string; to?: string }) {
  const now = useSyncExternalStore(to === undefined ? seconds : never, thisSecond);
  return <>{duration(from, to ?? now)}</>;
}

/** The current time, for what is shown relative to it. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** How long ago, kept true while it is shown. */
export function Ago({ moment }: { moment: string }) {
  const now = useNow();
  const at = dayjs(moment).valueOf();
  // A moment of just now must not be in the future of a clock that ticks rarely.
  const reference = at > now && at - now < 2 * STEP ? at : now;
  return (
    <time dateTime={moment} title={absolute(moment)}>
      {relative(moment, reference)}
    </time>
  );
}
