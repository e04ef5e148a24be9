import type { ServerSideEncryption, StorageClass } from '@aws-sdk/client-s3';
import type { S3Target } from '../store-target.ts';

/** Storage class and encryption by the store: what every object is put with. */
export interface Attributes {
  readonly StorageClass?: StorageClass;
  readonly ServerSideEncryption?: ServerSideEncryption;
}

export function attributesOf({ storageClass, sse }: S3Target): Attributes {
  return {
    // Administrators of other stores define classes that the SDK has not heard of.
    ...(storageClass === undefined ? {} : { StorageClass: storageClass as StorageClass }),
    ...(sse === undefined ? {} : { ServerSideEncryption: sse }),
  };
}
