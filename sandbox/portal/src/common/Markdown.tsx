import Renderer from 'react-markdown';
import gfm from 'remark-gfm';
import { safeUrl } from '../links';
import classes from './Markdown.module.css';

function tone(line: string): string | undefined {
  if (/^(@@|---|\+\+\+)/.test(line)) return classes.place;
  if (line.startsWith('+')) return classes.added;
  return line.startsWith('-') ? classes.removed : undefined;
}

/** Markdown from untrusted input: HTML is shown as text, and pictures are not loaded. */
export function Markdown({ text }: { text: string }) {
  return (
    <div className={classes.markdown}>
      <Renderer
        remarkPlugins={[gfm]}
        disallowedElements={['img']}
        unwrapDisallowed
        components={{
          a: ({ href, children }) =>
            safeUrl(href) === undefined ? (
              <span>{children}</span>
            ) : (
              <a href={href} target="_blank" rel="noreferrer">
                {children}
              </a>
            ),
          pre: ({ children }) => <pre tabIndex={0}>{children}</pre>,
          code: ({ className, children }) =>
            className === 'language-diff' && typeof children === 'string' ? (
              <code className={classes.diff}>
                {children
                  .replace(/\n$/, '')
                  .split('\n')
                  .map((line, index) => (
                    <span key={index} className={tone(line)}>
                      {line || ' '}
                    </span>
                  ))}
              </code>
            ) : (
              <code>{children}</code>
            ),
        }}
      >
        {text}
      </Renderer>
    </div>
  );
}
