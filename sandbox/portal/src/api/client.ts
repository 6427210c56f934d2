/** Requests to the server, as the person who is signed in. */

/** What the server refused, in its own words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

let token: string | null = null;
const expired = new Set<() => void>();

/** The access token of all further requests; null for none. */
export function setToken(value: string | null): void {
  token = value;
}

/** Calls back when the server no longer accepts the token. Returns a function that stops this. */
export function onExpired(listener: () => void): () => void {
  expired.add(listener);
  return () => expired.delete(listener);
}

/**
 * Sends a request and gives the answer's JSON.
 *
 * @throws ApiError if the server refuses it, or does not answer (status 0).
 */
export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, 'unreachable', 'The server does not answer.');
  }
  const found = (await answer.json().catch(() => null)) as
    (T & { error?: string; message?: string }) | null;
  if (answer.ok && found !== null) return found;
  if (answer.status === 401 && token !== null) expired.forEach((listener) => listener());
  const message = found?.message ?? `The server answered ${answer.status}.`;
  throw new ApiError(answer.status, found?.error ?? 'unknown', message);
}

/** A path with each value encoded: path`/v1/blueprints/${name}`. */
export function path(parts: TemplateStringsArray, ...values: string[]): string {
  return String.raw({ raw: parts }, ...values.map(encodeURIComponent));
}
