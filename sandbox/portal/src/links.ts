import { asText } from './common/asText';

/** The addresses of pages. Those of runs and entities are Port's own: messages link to them. */

/** The page of a blueprint's entities. */
export const pageOf = (blueprint: string) => `${blueprint}s`;

export const entityLink = (blueprint: string, identifier: string) =>
  ({ to: '/$page', params: { page: `${blueprint}Entity` }, search: { identifier } }) as const;

export const runLink = (runId: string) => ({ to: '/organization/run', search: { runId } }) as const;

export const catalogLink = (blueprint: string) =>
  ({ to: '/$page', params: { page: pageOf(blueprint) }, search: {} }) as const;

/** Which blueprint's page, of entities or of one, an address names. */
export function readPage(page: string, blueprints: string[]) {
  for (const blueprint of blueprints) {
    if (page === `${blueprint}Entity`) return { kind: 'entity', blueprint } as const;
    if (page === pageOf(blueprint) || page === blueprint)
      return { kind: 'catalog', blueprint } as const;
  }
  return null;
}

const TITLES: [RegExp, (found: string) => string][] = [
  [/\/pull\/(\d+)$/, (number) => `Pull request #${number}`],
  [/\/issues\/(\d+)$/, (number) => `Issue #${number}`],
  [/\/actions\/runs\/(\d+)$/, () => 'Workflow run'],
  [/\/approval_requestEntity\?identifier=(.+)$/, () => 'Approval request'],
  [/\/organization\/run\?runId=(\w+)$/, (run) => `Run ${run}`],
];

/** Where the open issue of a service is, in the repository of its pull request. */
export function issueSearch(service: string, pullRequest: unknown): string | undefined {
  const repository = /^(https?:\/\/.+)\/pull\/\d+$/.exec(asText(pullRequest) ?? '')?.[1];
  if (repository === undefined) return undefined;
  const query = new URLSearchParams({ q: `is:open label:remediation ${service}` });
  return safeUrl(`${repository}/issues?${query}`);
}

/** What a link leads to, in words; its host and path if that is unknown. */
export function linkTitle(url: string): string {
  for (const [pattern, title] of TITLES) {
    const found = pattern.exec(url)?.[1];
    if (found !== undefined) return title(found);
  }
  return url.replace(/^\w+:\/\//, '');
}

/** An address that a link may have: other schemes could execute something. */
export function safeUrl(text: unknown): string | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const { protocol } = new URL(text);
    return ['http:', 'https:', 'mailto:'].includes(protocol) ? text : undefined;
  } catch {
    return undefined;
  }
}
