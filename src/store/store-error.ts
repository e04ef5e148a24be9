import { CloudvolError, type ErrorDetails } from '../base/errors.ts';
import type { StoreErrorCode } from './object-store.ts';

/** A CloudvolError whose code is one that the store's contract names. */
export function storeError(
  code: StoreErrorCode,
  message: string,
  options: ErrorDetails = {},
): CloudvolError {
  return new CloudvolError(code, message, options);
}

export function notFound(key: string, location: string): CloudvolError {
  return storeError('store/not-found', `there is no object ${key} in ${location}`, {
    details: { key, location },
  });
}

export function alreadyExists(key: string, location: string): CloudvolError {
  return storeError('store/exists', `${location} already holds an object ${key}`, {
    details: { key, location },
  });
}

export function tooLarge(key: string, sizeBytes: number, maxObjectBytes: number): CloudvolError {
  return storeError(
    'store/unsupported',
    `${key} would have ${sizeBytes} bytes; the store takes ${maxObjectBytes} in one object`,
    { details: { key, sizeBytes, maxObjectBytes } },
  );
}

/** Of `a` and `a/b` only one can be an object. */
export function keyIsFolder(key: string, location: string): CloudvolError {
  return storeError(
    'store/unsupported',
    `${location} cannot hold ${key}: an object and a folder would have the same name`,
    { details: { key, location }, hint: 'choose a key that is no folder of another key' },
  );
}
