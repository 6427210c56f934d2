/** A dialog that asks before it discards what the user typed. It must be inside a `Modal.Stack`. */
import { Button, Modal, Stack, Text } from '@mantine/core';
import type { ModalProps } from '@mantine/core';
import { useId, useState } from 'react';
import { DialogButtons } from './DialogButtons';
import { keepFocus } from './keepFocus';

interface Props extends ModalProps {
  /** Whether something was typed that closing would lose. */
  dirty: boolean;
}

export function GuardedModal({ dirty, opened, onClose, ...rest }: Props) {
  const id = useId();
  const [asking, setAsking] = useState(false);
  const asks = asking && opened && dirty;
  const ask = () => {
    keepFocus();
    setAsking(true);
  };
  return (
    <>
      <Modal
        {...rest}
        stackId={id}
        opened={opened}
        onClose={() => (dirty ? ask() : onClose())}
        closeOnClickOutside={false}
      />
      <Modal
        stackId={`${id} discard`}
        opened={asks}
        onClose={() => setAsking(false)}
        title="Discard what you typed?"
        size="sm"
        centered
      >
        <Stack>
          <Text size="sm">Your inputs are not saved.</Text>
          <DialogButtons>
            <Button variant="default" onClick={() => setAsking(false)} data-autofocus>
              Keep editing
            </Button>
            <Button
              color="red"
              onClick={() => {
                setAsking(false);
                onClose();
              }}
            >
              Discard
            </Button>
          </DialogButtons>
        </Stack>
      </Modal>
    </>
  );
}
