#!/bin/sh
# Says what to install where Node or npm is missing or too old; nothing else here runs without them.
set -eu
wanted=20

if command -v node >/dev/null && command -v npm >/dev/null; then
  found=$(node -p 'process.versions.node')
  [ "${found%%.*}" -lt "$wanted" ] || exit 0
  reason="too old: Node $found; headrace needs $wanted or newer"
else
  reason="missing: Node $wanted or newer with npm"
fi
cat >&2 <<END
headrace: $reason. Install it with
  Debian, Ubuntu:  apt-get install nodejs npm   (Debian 13, Ubuntu 25.04 and later)
  Fedora, RHEL:    dnf install nodejs npm
  macOS:           brew install node
  elsewhere:       https://nodejs.org/download
END
exit 1
