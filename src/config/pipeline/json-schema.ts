/** The JSON Schema of a pipeline file, for editors: completion, descriptions, mistakes while typing. */

import { z } from 'zod';
import { pipelineSchema, tenantFileSchema } from './schema.ts';

const REFERENCE = { type: 'string', pattern: '\\$\\{' };

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** As text, as it is shipped beside the pipelines. */
export function pipelineJsonSchema(): string {
  return jsonText(pipelineSchema);
}

export function tenantJsonSchema(): string {
  return jsonText(tenantFileSchema);
}

function jsonText(schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, {
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      delete jsonSchema.shape;
      if (takesReference(jsonSchema)) makeReferable(jsonSchema);
    },
  });
  return `${JSON.stringify(json, null, 2)}\n`;
}

/** What is bound to a form, which `${NAME}` does not have. */
function takesReference({ type, enum: values, pattern }: JsonSchema): boolean {
  return type === 'integer' || type === 'boolean' || values !== undefined || pattern !== undefined;
}

function makeReferable(schema: JsonSchema): void {
  const { description, ...form } = schema;
  for (const key of Object.keys(form)) delete schema[key];
  Object.assign(schema, { anyOf: [form, REFERENCE] });
}
