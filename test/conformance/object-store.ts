/**
 * The contract of src/store/object-store.ts as tests: the test file of a backend or a layer calls
 * it with a way to open one. What a store cannot do, by its capabilities, is tested to be refused.
 */
import test, { type ExecutionContext } from 'ava';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { describeAborts, describeConditionalPuts } from './object-store/contention.ts';
import type { Contract } from './object-store/contract.ts';
import { describeKeys } from './object-store/keys.ts';
import { describeListing } from './object-store/listing.ts';
import {
  describeFlatNames,
  describeObjects,
  describeRanges,
  describeRealFolders,
} from './object-store/objects.ts';

/** Opens an empty store and registers its removal with `t.teardown`. */
export type OpenStoreForTest = (t: ExecutionContext) => Promise<ObjectStore>;

export interface ContractOptions {
  /** Objects in the largest listing; enough for three pages of 1,000 unless told otherwise. */
  readonly manyKeys?: number;
  /**
   * Whether folders are real, as on a disk, or only parts of names: then `a` and `a/b` can both be
   * objects. Doubtful: a store takes both and hides one, so that there is nothing to test. Default:
   * real.
   */
  readonly folders?: 'real' | 'names' | 'doubtful';
  /**
   * One test at a time: a server that all of them flood at once breaks off connections, as any
   * does, and a store without retries says so. Default: all at once.
   */
  readonly oneByOne?: boolean;
}

export function objectStoreContract(
  name: string,
  open: OpenStoreForTest,
  { manyKeys = 2500, folders = 'real', oneByOne = false }: ContractOptions = {},
): void {
  const register = oneByOne ? test.serial : test;
  const contract: Contract = (title, run) =>
    register(`${name}: ${title}`, async (t) => {
      const store = await open(t);
      await run(t, store);
      await store.close();
    });
  describeObjects(contract);
  if (folders === 'real') describeRealFolders(contract);
  if (folders === 'names') describeFlatNames(contract);
  describeRanges(contract);
  describeListing(contract, manyKeys);
  describeConditionalPuts(contract);
  describeKeys(contract);
  describeAborts(contract);
}
