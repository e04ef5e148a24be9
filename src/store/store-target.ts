/**
 * Where objects go, by provider: everything that a backend needs to reach its bucket. Plain data;
 * secret parts are in here in clear, so that a target is never logged, printed or stored as it is.
 */
export type StoreTarget = DirectoryTarget | S3Target | AzureTarget | GoogleTarget;

export interface DirectoryTarget {
  readonly provider: 'directory';
  readonly path: string;
  /** Makes the folder when it is missing. Default: false. */
  readonly create?: boolean;
}

/** What the stores on a network have in common. */
interface BucketTarget {
  /** Bucket, or container of Azure. */
  readonly bucket: string;
  /**
   * Makes the bucket when it is missing. Default: false, for buckets that the user made beforehand
   * and whose policy need not allow it.
   */
  readonly create?: boolean;
  /** PEM of certificate authorities to trust besides the well-known ones. */
  readonly ca?: string;
}

export interface S3Target extends BucketTarget {
  readonly provider: 's3';
  /** `host` or `host:port` each, tried in order when one does not answer; none: Amazon's own. */
  readonly endpoints?: readonly string[];
  readonly region?: string;
  /** Plain http. Default: false. */
  readonly disableSsl?: boolean;
  /** `bucket.endpoint/key` instead of `endpoint/bucket/key`. Default: false; Amazon's own: true. */
  readonly virtualHost?: boolean;
  /** Both or none; none: the SDK's default chain (environment, profile, instance role). */
  readonly accessKey?: string;
  readonly secretKey?: string;
  /** `x-amz-storage-class` of what is put: STANDARD, STANDARD_IA. */
  readonly storageClass?: string;
  /** `x-amz-server-side-encryption` of what is put. */
  readonly sse?: 'AES256' | 'aws:kms';
}

export interface AzureTarget extends BucketTarget {
  readonly provider: 'azure';
  readonly accountName?: string;
  /** One of the three, or none: the SDK's default credential (environment, managed identity). */
  readonly accountKey?: string;
  readonly connectionString?: string;
  /** A shared access signature, with or without the leading `?`. */
  readonly sasToken?: string;
  /** URL of the account's blob service. Default: `https://<account>.blob.core.windows.net`. */
  readonly endpoint?: string;
}

export interface GoogleTarget extends BucketTarget {
  readonly provider: 'google';
  readonly projectId?: string;
  /** Text of a service account's JSON key; none: the SDK's application default credentials. */
  readonly jsonKey?: string;
  /** URL. Default: Google's own. */
  readonly endpoint?: string;
}
