/** What lies in a file system, as a catalog lists it. */
export type FileType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'fifo'
  | 'socket'
  | 'character-device'
  | 'block-device'
  | 'unknown';

/** The shape of `fileEntry` in the API, where each field is described. */
export interface FileEntry {
  readonly path: string;
  readonly pathBase64?: string;
  readonly type: FileType;
  readonly sizeBytes: number;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly modified: string;
  readonly target?: string;
  readonly targetBase64?: string;
}

/** The bytes of a path: names of files need not be text. */
export function pathBytes({ path, pathBase64 }: FileEntry): Buffer {
  return pathBase64 === undefined ? Buffer.from(path) : Buffer.from(pathBase64, 'base64');
}
