import { Button, Select, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { entitiesQuery } from '../api/queries';
import type { Entity } from '../api/types';
import { DialogButtons } from '../common/DialogButtons';
import { Failed, Loading } from '../common/states';

interface Props {
  blueprint: string;
  onChoose: (entity: Entity) => void;
}

/** Asks for the entity of an action that was not started from one. */
export function ChooseEntity({ blueprint, onChoose }: Props) {
  const entities = useQuery(entitiesQuery(blueprint));
  const [chosen, setChosen] = useState<string | null>(null);
  if (entities.isPending) return <Loading what="the entities" />;
  if (entities.isError) {
    return <Failed error={entities.error} retry={() => void entities.refetch()} />;
  }
  const entity = entities.data.find(({ identifier }) => identifier === chosen);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (entity !== undefined) onChoose(entity);
      }}
    >
      <Stack>
        <Select
          label="Entity"
          description="The entity that the action runs on"
          required
          searchable
          limit={100}
          nothingFoundMessage="No match"
          data={entities.data.map(({ identifier, title }) => ({
            value: identifier,
            label: title ?? identifier,
          }))}
          value={chosen}
          onChange={setChosen}
          data-autofocus
        />
        <DialogButtons>
          <Button type="submit" disabled={entity === undefined}>
            Next
          </Button>
        </DialogButtons>
      </Stack>
    </form>
  );
}
