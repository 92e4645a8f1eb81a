#!/usr/bin/env bash
# Installs the peers for HEADRACE_PEERS on Debian, as root: FFCV 1.0.2, slipstream 0.4.0 and torch, about 7 GB.
#
#   bash bench/vision/peers/install.sh FOLDER SLIPSTREAM
#
# SLIPSTREAM: a Git repository of slipstream, which is in no registry. May be run again.
set -euo pipefail
if [ $# -ne 2 ]; then
  echo 'usage: install.sh FOLDER SLIPSTREAM' >&2
  exit 2
fi
folder=$1 slipstream=$2
mkdir -p "$folder/src" "$folder/tmp"
export TMPDIR=$folder/tmp VIRTUAL_ENV=$folder/venv DEBIAN_FRONTEND=noninteractive

# FFCV's build asks pkg-config for opencv4 and libturbojpeg.
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
  libopencv-dev libturbojpeg0-dev libjpeg-dev pkg-config g++ python3-dev python3-venv git >/dev/null

[ -x "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q uv

# Everything in one resolution. numpy below 2 for FFCV, pyarrow 18 as the last that takes it, PyTurboJPEG below 2 for
# libjpeg-turbo 2.1.
"$folder/venv/bin/uv" pip install -q \
  ffcv==1.0.2 numpy==1.26.4 torch==2.15.0 torchvision==0.29.2 numba==0.68.1 pillow==13.0.0 setuptools tqdm \
  litdata==0.2.76 PyTurboJPEG==1.8.3 boto3 fsspec s3fs datasets huggingface_hub hf_transfer polars pyarrow==18.1.0

[ -d "$folder/src/slipstream/.git" ] ||
  git -c advice.detachedHead=false clone -q --branch v0.4.0 "$slipstream" "$folder/src/slipstream"
(cd "$folder/src/slipstream" && "$folder/venv/bin/python" libslipstream/setup.py -q build_ext --inplace)

PYTHONPATH=$folder/src/slipstream "$folder/venv/bin/python" -c "
import importlib.metadata as m, ffcv.loader, slipstream, slipstream.decoders as d, torchvision
assert d.numba_decoder.check_numba_decoder_available()
print('FFCV', m.version('ffcv'), 'slipstream', slipstream.__version__, 'torch', m.version('torch'))"
