import { execFileSync } from 'node:child_process'

/** Packages that npm cannot bring: what they are for, and their name for each package manager. */

/**
 * @typedef {object} SystemPackage
 * @property {string} what
 * @property {string} apt
 * @property {string} dnf
 * @property {string} brew
 */

/** @type {Readonly<Record<'compiler' | 'make' | 'python' | 'venv' | 'jpeg' | 'clang', SystemPackage>>} */
export const PACKAGES = {
  compiler: {
    what: 'a C++20 compiler',
    apt: 'apt-get install g++',
    dnf: 'dnf install gcc-c++',
    brew: 'xcode-select --install',
  },
  make: { what: 'make', apt: 'apt-get install make', dnf: 'dnf install make', brew: 'xcode-select --install' },
  python: { what: 'Python 3', apt: 'apt-get install python3', dnf: 'dnf install python3', brew: 'brew install python' },
  venv: {
    what: 'Python 3 with venv and pip',
    apt: 'apt-get install python3-venv',
    dnf: 'dnf install python3 python3-pip',
    brew: 'brew install python',
  },
  jpeg: {
    what: "libjpeg-turbo's development files (jpeglib.h)",
    apt: 'apt-get install libjpeg-dev',
    dnf: 'dnf install libjpeg-turbo-devel',
    brew: 'brew install jpeg-turbo',
  },
  clang: {
    what: 'clang++ with libFuzzer',
    apt: 'apt-get install clang',
    dnf: 'dnf install clang compiler-rt',
    brew: 'brew install llvm',
  },
}

/** @param {SystemPackage} wanted */
export function howToInstall(wanted) {
  return [
    `missing: ${wanted.what}. Install it with`,
    `  Debian, Ubuntu:  ${wanted.apt}`,
    `  Fedora, RHEL:    ${wanted.dnf}`,
    `  macOS:           ${wanted.brew}`,
  ].join('\n')
}

/** The same in one line. @param {SystemPackage} wanted */
export function missing({ what, apt, dnf, brew }) {
  return `missing: ${what} (${apt}; ${dnf}; ${brew})`
}

/** @param {string} command @param {readonly string[]} args */
function succeeds(command, args) {
  try {
    execFileSync(command, args, { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
    return true
  } catch {
    return false
  }
}

/**
 * Installs a package where that needs nobody: as root, with apt-get or dnf. Says what it does on stderr.
 * @param {SystemPackage} wanted
 */
export function installAsRoot(wanted) {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  for (const line of [wanted.apt, wanted.dnf]) {
    const [manager = '', verb = '', ...names] = line.split(' ')
    if (!succeeds(manager, ['--version'])) continue
    console.error(`headrace: missing: ${wanted.what}; running ${line}`)
    const args = [verb, '-y', ...names]
    if (succeeds(manager, args)) return true
    // A fresh container has no package lists yet.
    return manager === 'apt-get' && succeeds(manager, ['update']) && succeeds(manager, args)
  }
  return false
}
