import { z } from 'zod';
import { RpcError, type RpcErrorCode } from './errors.ts';
import { defineMethod, type Method } from './method.ts';

/** Errors that every call can end with. */
const COMMON_ERRORS = ['INVALID_PARAMS', 'INTERNAL_ERROR', 'RATE_LIMITED'] as const satisfies readonly RpcErrorCode[];

const DocumentJson = z.looseObject({
  openrpc: z.literal('1.3.2'),
  info: z.looseObject({ title: z.string(), version: z.string() }),
  methods: z.array(z.looseObject({ name: z.string() })),
});

/** OpenRPC's own method: describes the others by the schemas that validate them. @see https://spec.open-rpc.org */
export function discoverMethod(methods: readonly Method[], version: string): Method {
  let document: z.input<typeof DocumentJson> | undefined;
  const discover: Method = defineMethod({
    name: 'rpc.discover',
    summary: 'This document.',
    params: z.strictObject({}),
    result: DocumentJson,
    errors: [],
    handle: () => {
      document ??= {
        openrpc: '1.3.2',
        info: {
          title: 'Nacre node',
          version,
          description: 'JSON-RPC 2.0 over POST / and the WebSocket /ws. Bytes are base64, hashes lower-case hex, addresses bech32m.',
        },
        methods: [...methods, discover].map(describe),
      };
      return document;
    },
  });
  return discover;
}

function describe({ name, summary, params, result, errors, webSocketOnly }: Method) {
  const schema = z.toJSONSchema(params, { io: 'input', target: 'draft-7' });
  const required = schema.required ?? [];
  return {
    name,
    summary,
    paramStructure: 'by-name',
    params: Object.entries(schema.properties ?? {}).map(([param, of]) => ({ name: param, required: required.includes(param), schema: of })),
    result: { name: 'result', schema: z.toJSONSchema(result, { io: 'output', target: 'draft-7' }) },
    errors: [...errors, ...COMMON_ERRORS].map((code) => {
      const { code: number, message, data } = new RpcError(code).toObject();
      return { code: number, message, data };
    }),
    ...(webSocketOnly ? { tags: [{ name: 'websocket' }] } : {}),
  };
}
