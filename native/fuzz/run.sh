#!/bin/sh
# run.sh <build folder> <seconds>: replays the seed corpus (all at once, or where that fails one by one, to count the
# seeds that fail), then fuzzes for that long (0: not at all). Exit 1 on any finding; 77, the usual code for a test that cannot run here,
# without clang++ or libFuzzer (make turns every code into 2).
build=$1 seconds=$2
# rss_limit also bounds a single allocation; max_len keeps the mutations to small files.
limits="-timeout=10 -rss_limit_mb=2048 -max_len=65536"

mkdir -p "$build/findings" "$build/grown"
if ! echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
  clang++ -x c++ -fsanitize=fuzzer,address - -o "$build/probe" 2>/dev/null; then
  echo "skipped: clang++ with libFuzzer not found (apt-get install clang libclang-rt-14-dev, or the one of your clang)"
  exit 77
fi
make --no-print-directory BUILD="$build" build corpus >"$build/make.log" 2>&1 || { cat "$build/make.log"; exit 1; }

passed=0 failed=0
count() { # the exit code of a run, its log
  if [ "$1" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); tail -n 40 "$2"; fi
}
if "$build/decode_fuzz" $limits "$build"/corpus/* >"$build/replay.log" 2>&1; then
  passed=$(ls "$build/corpus" | wc -l)
else
  for seed in "$build"/corpus/*; do
    "$build/decode_fuzz" $limits "$seed" >"$build/replay.log" 2>&1
    count $? "$build/replay.log"
  done
fi
if [ "$seconds" -gt 0 ]; then
  "$build/decode_fuzz" $limits -max_total_time="$seconds" -print_final_stats=1 -dict=jpeg.dict \
    -artifact_prefix="$build/findings/" "$build/grown" "$build/corpus" >"$build/fuzz.log" 2>&1
  count $? "$build/fuzz.log"
  grep -a '^stat::' "$build/fuzz.log"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
