import { Text } from '@mantine/core';

/** Why something cannot be done, under what it is about. */
export function Reason({ text }: { text: string | null }) {
  if (text === null) return null;
  return (
    <Text size="xs" c="dimmed" component="span" display="block">
      {text}
    </Text>
  );
}
