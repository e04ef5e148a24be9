/**
 * Shapes that the inputs and outputs of calls are made of. Unknown fields are refused. Ids are
 * strings, since volume ids exceed 2^53; sizes are whole numbers of bytes below it; times are UTC
 * in ISO 8601.
 */
import { Type, type TProperties, type TSchema } from 'typebox';

/**
 * Longest text in a request; ids, names and paths (PATH_MAX) are shorter, their own rules refuse
 * them by name.
 */
export const MAX_TEXT = 4096;
const MAX_LABELS = 64;
/** Certificates and key files: a whole bundle of authorities is far larger, and not needed. */
const MAX_FILE_TEXT = 256 << 10;

export const closed = <P extends TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });
export const text = () => Type.String({ maxLength: MAX_TEXT });
export const reference = () => Type.String({ minLength: 1, maxLength: MAX_TEXT });
export const fileText = () => Type.String({ minLength: 1, maxLength: MAX_FILE_TEXT });
export const optional = () => Type.Optional(reference());
export const optionalFlag = () => Type.Optional(Type.Boolean());
export const bytes = () => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
export const count = () => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
export const time = () => Type.String({ format: 'date-time' });
export const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
export const labels = () => Type.Record(Type.String(), text(), { maxProperties: MAX_LABELS });
export const fileSystem = () =>
  Type.Union([Type.Literal('ext4'), Type.Literal('xfs'), Type.Literal('none')]);

export const nothing = closed({});

export const hydrationRate = () =>
  Type.Integer({ minimum: 0, description: 'bytes per second in the background; 0: no limit' });
export const absentTimeout = () =>
  Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    description: 'seconds that a reader waits for an absent block; 0: for ever',
  });
