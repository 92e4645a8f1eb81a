#!/bin/sh
# Installs the object servers that `make test-servers` tests against, where they are missing: versitygw and MinIO (S3),
# fake-gcs-server (Google) with Go, which compiles each for minutes, and Azurite (Azure) with npm. They lie below
# HEADRACE_SERVERS, or else in the cache folder. What cannot be installed is told, and its tests are skipped.
#
#   sh scripts/servers/install.sh [versitygw minio fake-gcs-server azurite]
set -u
versitygw=github.com/versity/versitygw/cmd/versitygw@v1.8.0
# The last release is of 2025-10 and has no module version: 2026-02-12.
minio=github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
fake_gcs_server=github.com/fsouza/fake-gcs-server@v1.56.1
azurite=azurite@3.35.0

servers=${HEADRACE_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/headrace/servers}
bin=$servers/bin
mkdir -p "$bin"
PATH=$bin:${PEERS:+$PEERS/bin:}$PATH

# NAME MODULE
with_go() {
  command -v go >/dev/null || { echo "missing: Go, to compile $1 with (https://go.dev/dl)"; return 1; }
  echo "compiling $2"
  GOBIN=$bin GOFLAGS=-buildvcs=false nice go install -ldflags='-s -w' "$2"
}

# NAME PACKAGE
with_npm() {
  echo "installing $2"
  mkdir -p "$servers/npm"
  [ -f "$servers/npm/package.json" ] || echo '{ "private": true }' >"$servers/npm/package.json"
  npm install --prefix "$servers/npm" --ignore-scripts --no-audit --no-fund --loglevel=error "$2" >/dev/null &&
    ln -sf "../npm/node_modules/.bin/$1" "$bin/$1"
}

install() {
  case $1 in
    versitygw) with_go versitygw "$versitygw" ;;
    minio) with_go minio "$minio" ;;
    fake-gcs-server) with_go fake-gcs-server "$fake_gcs_server" ;;
    azurite) with_npm azurite-blob "$azurite" ;;
    *) echo "there is no server $1" && return 1 ;;
  esac
}

# The program of a server.
program() {
  case $1 in azurite) echo azurite-blob ;; *) echo "$1" ;; esac
}

[ $# -gt 0 ] || set -- versitygw minio fake-gcs-server azurite
for name in "$@"; do
  command -v "$(program "$name")" >/dev/null || install "$name" ||
    echo "headrace: $name cannot be installed: its tests are skipped" >&2
done
