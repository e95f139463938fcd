import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { FAKETIME_LIBRARY } from './lab-node.ts';

interface Tool {
  readonly program: string;
  readonly package: string;
}

const TOOLS: readonly Tool[] = [
  { program: 'unshare', package: 'util-linux' },
  { program: 'mount', package: 'mount' },
  { program: 'ip', package: 'iproute2' },
];

/** What of a machine matters here. */
export interface Machine {
  readonly platform: string;
  /** Of this process; undefined where there are none. */
  readonly userId: number | undefined;
  /** Directories of programs, as in `PATH`. */
  readonly path: string;
  /** Whether there is such a file that this process may read. */
  readonly has: (file: string) => boolean;
}

export function thisMachine(): Machine {
  return { platform: process.platform, userId: process.getuid?.(), path: process.env.PATH ?? '', has: isReadable };
}

/** @returns what the machine lacks to run real nodes through faults, each with what to do about it; nothing: it can */
export function missingRequirements({ platform, userId, path, has }: Machine): string[] {
  const missing: string[] = [];
  if (platform !== 'linux') missing.push(`namespaces are of Linux, this is ${platform}: use a virtual machine`);
  if (userId !== 0) missing.push('network namespaces and mounts need root: run it with sudo, or in a container with --privileged');
  for (const { program, package: name } of TOOLS) {
    if (!path.split(delimiter).some((directory) => has(join(directory, program))))
      missing.push(`there is no ${program}: apt-get install ${name}`);
  }
  if (!has(FAKETIME_LIBRARY)) missing.push(`there is no ${FAKETIME_LIBRARY}, which sets clocks wrong: apt-get install faketime`);
  return missing;
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
