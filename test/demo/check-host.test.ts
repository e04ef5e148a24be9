import { tmpdir } from 'node:os';
import test from 'ava';
import { checkHost } from '../../src/demo/check-host.ts';
import { requires } from '../support/requires.ts';

const root = requires('root', 'fuse', 'loop', 'losetup', 'mkfs.ext4');

root('a host that has everything is accepted', (t) => {
  t.notThrows(() => checkHost(tmpdir()));
});

root('a folder that does not exist is named', (t) => {
  t.throws(() => checkHost('/nowhere/at/all'), {
    code: 'demo/no-directory',
    message: /\/nowhere\/at\/all/,
  });
});

root('a folder with too little room is refused with both sizes', (t) => {
  // A file system without room of its own.
  t.throws(() => checkHost('/proc'), {
    code: 'demo/no-space',
    message: 'the demo takes up to 3 GiB, and /proc has 0 B left',
  });
});

root('a missing program is named with its package', (t) => {
  const { PATH = '' } = process.env;
  process.env['PATH'] = '/nowhere';
  try {
    const error = t.throws(() => checkHost(tmpdir()), { code: 'demo/no-tool' });
    t.like(error, {
      message: 'mkfs.ext4 is not installed',
      hint: 'install it with: apt-get install e2fsprogs',
    });
  } finally {
    process.env['PATH'] = PATH;
  }
});

test('every user but root is told why', (t) => {
  const real = process.getuid;
  process.getuid = () => 1000;
  try {
    t.throws(() => checkHost(tmpdir()), {
      code: 'demo/not-root',
      message: 'the demo mounts file systems, which takes root',
    });
  } finally {
    if (real) process.getuid = real;
  }
});
