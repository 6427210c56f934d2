/** Who uses the portal. */
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { createContext, use, useCallback, useEffect, useMemo, useState } from 'react';
import { call, onExpired, setToken } from '../api/client';
import type { Me } from '../api/types';

export type SessionState =
  | { status: 'loading' }
  | { status: 'signed-out'; reason: string | null }
  | { status: 'unreachable'; reason: string }
  | { status: 'signed-in'; me: Me; change: number; expired: boolean };

export interface Session {
  state: SessionState;
  /** Signs in as a person. Throws ApiError, 401 for a wrong secret. */
  signIn: (email: string, secret: string) => Promise<void>;
  signOut: () => Promise<void>;
  retry: () => void;
}

const SESSION = '/_sandbox/portal/session';

/** `change` is the last change before anything was read. */
interface Found {
  user: Me;
  accessToken: string;
  change: number;
}

interface SignedOut {
  user: null;
  accessToken: null;
}

const SessionContext = createContext<Session | null>(null);
/** The other tabs: a channel does not receive its own messages. */
const others = new BroadcastChannel('session');

async function load(): Promise<SessionState> {
  try {
    const found = await call<Found | SignedOut>('GET', SESSION);
    setToken(found.accessToken);
    if (found.user === null) return { status: 'signed-out', reason: null };
    return { status: 'signed-in', me: found.user, change: found.change, expired: false };
  } catch (error) {
    return { status: 'unreachable', reason: (error as Error).message };
  }
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [state, setState] = useState<SessionState>({ status: 'loading' });

  const begin = useCallback(async () => {
    setState(await load());
    void client.resetQueries();
  }, [client]);

  useEffect(() => {
    void load().then(setState);
    return onExpired(() =>
      setState((now) => (now.status === 'signed-in' ? { ...now, expired: true } : now)),
    );
  }, []);

  // Another tab changed the user, and all tabs share the cookie.
  useEffect(() => {
    others.onmessage = () => void begin();
    return () => {
      others.onmessage = null;
    };
  }, [begin]);

  const session = useMemo<Session>(() => {
    const announce = () => others.postMessage('changed');
    return {
      state,
      retry: () => void begin(),
      signIn: async (email, secret) => {
        const credentials = { clientId: email, clientSecret: secret };
        setToken(null);
        const found = await call<{ accessToken: string }>(
          'POST',
          '/v1/auth/access_token',
          credentials,
        );
        setToken(found.accessToken);
        await call('PUT', SESSION);
        await begin();
        announce();
      },
      signOut: async () => {
        await call('DELETE', SESSION);
        setToken(null);
        client.clear();
        setState({ status: 'signed-out', reason: null });
        announce();
      },
    };
  }, [state, begin, client]);

  return <SessionContext value={session}>{children}</SessionContext>;
}

export function useSession(): Session {
  const session = use(SessionContext);
  if (session === null) throw new Error('There is no SessionProvider.');
  return session;
}

/** The person who is signed in; for pages, which are shown only then. */
export function useMe(): Me {
  const { state } = useSession();
  if (state.status !== 'signed-in') throw new Error('No person is signed in.');
  return state.me;
}
