/** The JSON of Port's API, as far as the pages use it. */

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

export interface Authored {
  createdAt: string;
  createdBy: string;
  updatedAt: string;
  updatedBy: string;
}

export interface PropertyDefinition {
  type: 'string' | 'number' | 'boolean' | 'object' | 'array';
  format?: string;
  title?: string;
  description?: string;
  icon?: string;
  enum?: JsonValue[];
  enumColors?: Record<string, string>;
  /** Colours of a calculation's values. */
  colors?: Record<string, string>;
  items?: PropertyDefinition;
}

export interface Relation {
  title?: string;
  target: string;
  required?: boolean;
  many?: boolean;
}

export interface Blueprint extends Authored {
  identifier: string;
  title: string;
  icon?: string;
  description?: string;
  schema: { properties: Record<string, PropertyDefinition>; required: string[] };
  calculationProperties: Record<string, PropertyDefinition>;
  mirrorProperties: Record<string, { title?: string; path: string }>;
  relations: Record<string, Relation>;
}

export interface Entity extends Authored {
  identifier: string;
  title: string | null;
  icon?: string;
  blueprint: string;
  team: string[];
  properties: JsonObject;
  relations: Record<string, string | string[] | null>;
}

export interface InputDefinition extends Omit<PropertyDefinition, 'items'> {
  blueprint?: string;
  dataset?: JsonObject | null;
  dependsOn?: string[];
  visible?: boolean | null;
  disabled?: boolean | null;
  default?: JsonValue;
  encryption?: string;
  items?: InputDefinition;
  [keyword: string]: unknown;
}

export interface Step {
  title: string;
  order: string[];
  visible?: boolean | null;
}

/** `userInputs` with every jq query evaluated. */
export interface UserInputs {
  properties: Record<string, InputDefinition>;
  required?: string[] | null;
  titles?: Record<string, { title: string; description?: string; visible?: boolean | null }>;
  order?: string[];
  steps?: Step[];
}

export type Operation = 'CREATE' | 'DAY-2' | 'DELETE';

export interface Action extends Authored {
  identifier: string;
  title?: string;
  icon?: string;
  description?: string;
  trigger: {
    type: 'self-service';
    operation: Operation;
    blueprintIdentifier?: string;
    userInputs: { properties: Record<string, unknown> };
    actionCardButtonText?: string;
    executeActionButtonText?: string;
  };
  requiredApproval: boolean | { type: 'ANY' | 'ALL' };
  /** Why this person may not execute it now. */
  refusal: string | null;
}

export interface Reference {
  identifier: string;
  title: string | null;
  icon: string | null;
  deleted?: boolean;
}

export type RunStatus = 'IN_PROGRESS' | 'SUCCESS' | 'FAILURE' | 'WAITING_FOR_APPROVAL' | 'DECLINED';

export interface Run extends Authored {
  id: string;
  status: RunStatus;
  statusLabel: string | null;
  action: Reference;
  blueprint?: Reference;
  entity?: Reference;
  properties: JsonObject;
  source: string;
  requiredApproval: boolean | { type: 'ANY' | 'ALL' };
  approval: { description: string; userId: string | null; state: string } | null;
  link: string[];
  summary?: string;
  payload?: JsonObject;
  endedAt?: string;
  impersonatedBy?: string;
}

export interface RunLog {
  id: string;
  runId: string;
  message: string;
  createdBy: string;
  createdAt: string;
}

export interface Approver {
  userId: string;
  state: 'PENDING' | 'APPROVED' | 'DECLINED';
  description: string | null;
}

export interface AuditEvent {
  identifier: string;
  action: 'CREATE' | 'UPDATE' | 'DELETE';
  resourceType: 'blueprint' | 'entity' | 'run' | 'action';
  status: 'SUCCESS' | 'FAILURE';
  trigger: { by: { userId: string; orgId: string }; at: string; origin: string };
  context: { entity: string | null; blueprint: string | null; runId?: string };
  diff: { before: JsonObject | null; after: JsonObject | null };
}

export interface Person {
  email: string;
  name: string;
  roles: string[];
  teams: string[];
}

/** Who uses the portal. */
export interface Me {
  id: string;
  email: string;
  name: string;
  roles: string[];
  teamsIdentifiers: string[];
}
