import { accessSync, constants, existsSync } from 'node:fs';
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

/** @returns what this machine lacks to run real nodes through faults, each with what to do about it; nothing: it can */
export function missingRequirements(): string[] {
  const missing: string[] = [];
  if (process.platform !== 'linux') missing.push(`namespaces are of Linux, this is ${process.platform}: use a virtual machine`);
  if (process.getuid?.() !== 0)
    missing.push('network namespaces and mounts need root: run it with sudo, or in a container with --privileged');
  for (const { program, package: name } of TOOLS) if (!isThere(program)) missing.push(`there is no ${program}: apt-get install ${name}`);
  if (!existsSync(FAKETIME_LIBRARY)) missing.push(`there is no ${FAKETIME_LIBRARY}, which sets clocks wrong: apt-get install faketime`);
  return missing;
}

function isThere(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
