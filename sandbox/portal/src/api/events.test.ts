import { QueryClient } from '@tanstack/react-query';
import { describe, expect, it, vi } from 'vitest';
import { makeEntity } from '../testing/make';
import { patched, refresh } from './events';
import { entitiesQuery } from './queries';

const [a, b, c] = [makeEntity('a'), makeEntity('b'), makeEntity('c')];

describe('patched', () => {
  it('replaces, removes and adds, and keeps the order', () => {
    const news = makeEntity('a', { owner: 'Noa' });
    const list = patched(
      [a, b],
      new Map([
        ['a', news],
        ['b', null],
        ['c', c],
      ]),
    );
    expect(list).toEqual([news, c]);
  });

  it('omits an entity that was created and removed again', () => {
    expect(patched([a], new Map([['x', null]]))).toEqual([a]);
  });
});

describe('refresh', () => {
  const answer = (status: number, body: unknown) => new Response(JSON.stringify(body), { status });

  it('fetches the entities that changed, and no others', async () => {
    const client = new QueryClient();
    client.setQueryData(entitiesQuery('thing').queryKey, [a, b]);
    const news = makeEntity('b', { owner: 'Noa' });
    const fetched = vi
      .spyOn(globalThis, 'fetch')
      .mockImplementation(() => Promise.resolve(answer(200, { ok: true, entity: news })));
    const change = {
      resource: 'entity',
      action: 'UPDATE',
      blueprint: 'thing',
      identifier: 'b',
    } as const;
    await refresh(client, [change, change]);
    expect(fetched).toHaveBeenCalledTimes(1);
    expect(client.getQueryData(entitiesQuery('thing').queryKey)).toEqual([a, news]);
  });

  it('takes out what is gone, without asking for it', async () => {
    const client = new QueryClient();
    client.setQueryData(entitiesQuery('thing').queryKey, [a, b]);
    const fetched = vi.spyOn(globalThis, 'fetch');
    await refresh(client, [
      { resource: 'entity', action: 'UPDATE', blueprint: 'thing', identifier: 'a' },
      { resource: 'entity', action: 'DELETE', blueprint: 'thing', identifier: 'a' },
    ]);
    expect(client.getQueryData(entitiesQuery('thing').queryKey)).toEqual([b]);
    expect(fetched).not.toHaveBeenCalled();
  });

  it('takes out what is gone before it could be fetched', async () => {
    const client = new QueryClient();
    client.setQueryData(entitiesQuery('thing').queryKey, [a, b]);
    vi.spyOn(globalThis, 'fetch').mockImplementation(() =>
      Promise.resolve(answer(404, { ok: false, error: 'not_found', message: 'gone' })),
    );
    await refresh(client, [
      { resource: 'entity', action: 'UPDATE', blueprint: 'thing', identifier: 'a' },
    ]);
    expect(client.getQueryData(entitiesQuery('thing').queryKey)).toEqual([b]);
  });

  it('does not fetch entities of a list that no page uses', async () => {
    const fetched = vi.spyOn(globalThis, 'fetch');
    await refresh(new QueryClient(), [
      { resource: 'entity', action: 'UPDATE', blueprint: 'thing', identifier: 'a' },
    ]);
    expect(fetched).not.toHaveBeenCalled();
  });
});
