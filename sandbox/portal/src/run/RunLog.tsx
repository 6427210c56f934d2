import { TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { logsQuery } from '../api/queries';
import { Failed, Loading } from '../common/states';
import { absolute } from '../common/time';
import classes from './RunLog.module.css';

/** The log of a run; what comes is added while it is shown. */
export function RunLog({ id }: { id: string }) {
  const logs = useQuery(logsQuery(id));
  const [text, setText] = useState('');
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const count = logs.data?.length ?? 0;

  useEffect(() => {
    if (follows.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [count]);

  if (logs.isPending) return <Loading what="the log" />;
  if (logs.isError) return <Failed error={logs.error} retry={() => void logs.refetch()} />;
  const wanted = text.toLowerCase();
  const lines = logs.data.map((line, index) => ({ ...line, number: index + 1 }));
  const found = lines.filter(({ message }) => message.toLowerCase().includes(wanted));
  return (
    <>
      <TextInput
        mb="xs"
        maw={320}
        leftSection={<IconSearch size={16} aria-hidden />}
        placeholder="Search the log"
        aria-label="Search the log"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <div
        ref={box}
        className={classes.log}
        role="log"
        aria-label="Log of the run"
        tabIndex={0}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          follows.current = scrollHeight - scrollTop - clientHeight < 40;
        }}
      >
        {found.length === 0 && <p>{count === 0 ? 'The log is empty.' : 'No line matches.'}</p>}
        {found.map(({ id: key, number, createdAt, message }) => (
          <div key={key} className={classes.line}>
            <span className={classes.number}>{number}</span>
            <time dateTime={createdAt} className={classes.time}>
              [{absolute(createdAt)}]
            </time>
            <span className={classes.message}>{message}</span>
          </div>
        ))}
      </div>
    </>
  );
}
