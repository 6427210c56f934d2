import { useNavigate, useSearch } from '@tanstack/react-router';

/** Which tab is open, as the properties of Mantine's `Tabs`. It is a part of the page's address. */
export function useTab(names: [string, ...string[]]) {
  const { tab } = useSearch({ strict: false });
  const navigate = useNavigate();
  return {
    value: names.find((name) => name === tab) ?? names[0],
    onChange: (name: string | null) =>
      void navigate({
        to: '.',
        search: (now) => ({ ...now, tab: name === names[0] ? undefined : (name ?? undefined) }),
        replace: true,
      }),
  };
}
