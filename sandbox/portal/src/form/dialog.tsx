/** Executing an action from anywhere: one dialog for all pages. */
import { Modal } from '@mantine/core';
import type { ReactNode } from 'react';
import { createContext, lazy, Suspense, use, useCallback, useState } from 'react';
import type { Action, Entity, JsonObject } from '../api/types';
import { GuardedModal } from '../common/GuardedModal';
import { Loading } from '../common/states';
import { ChooseEntity } from './ChooseEntity';

// The form and its editor are larger than everything else, and wanted only when one executes.
const ActionForm = lazy(async () => ({ default: (await import('./ActionForm')).ActionForm }));

type Execute = (action: Action, entity?: Entity, initial?: JsonObject) => void;

interface Shown {
  action: Action;
  entity?: Entity;
  initial?: JsonObject;
}

const needsEntity = ({ action, entity }: Shown) =>
  action.trigger.operation !== 'CREATE' && entity === undefined;

const DialogContext = createContext<Execute | null>(null);

export function ActionDialogProvider({ children }: { children: ReactNode }) {
  const [shown, setShown] = useState<Shown | null>(null);
  const [opened, setOpened] = useState(false);
  const [dirty, setDirty] = useState(false);
  const execute = useCallback<Execute>((action, entity, initial) => {
    setShown({ action, entity, initial });
    setDirty(false);
    setOpened(true);
  }, []);
  return (
    <DialogContext value={execute}>
      <Modal.Stack>
        {children}

        <GuardedModal
          dirty={dirty}
          opened={opened}
          onClose={() => setOpened(false)}
          title={shown?.action.title ?? shown?.action.identifier}
          size="lg"
          onExitTransitionEnd={() => setShown(null)}
        >
          {shown !== null && needsEntity(shown) && (
            <ChooseEntity
              blueprint={shown.action.trigger.blueprintIdentifier ?? ''}
              onChoose={(entity) => setShown({ ...shown, entity })}
            />
          )}
          {shown !== null && !needsEntity(shown) && (
            <Suspense fallback={<Loading what="the form" />}>
              <ActionForm
                action={shown.action}
                entity={shown.entity}
                initial={shown.initial}
                onDirty={setDirty}
                onDone={() => setOpened(false)}
              />
            </Suspense>
          )}
        </GuardedModal>
      </Modal.Stack>
    </DialogContext>
  );
}

/** A function that asks for an action's inputs and executes it. */
export function useActionDialog(): Execute {
  const execute = use(DialogContext);
  if (execute === null) throw new Error('There is no ActionDialogProvider.');
  return execute;
}
