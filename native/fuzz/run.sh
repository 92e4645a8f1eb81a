#!/bin/sh
# run.sh <build folder> <seconds> <target>...: for each target replays the seed corpus (all at once, or where that fails
# one by one, to count the seeds that fail), then fuzzes for that long (0: not at all). Exit 1 on any finding; 77, the
# usual code for a test that cannot run here, without clang++ or libFuzzer (make turns every code into 2).
build=$1 seconds=$2
shift 2
# rss_limit also bounds a single allocation; max_len keeps the mutations to small files.
limits="-timeout=10 -rss_limit_mb=2048 -max_len=65536"

mkdir -p "$build"
if ! echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
  clang++ -x c++ -fsanitize=fuzzer,address - -o "$build/probe" 2>/dev/null; then
  echo "skipped: clang++ with libFuzzer not found (apt-get install clang libclang-rt-14-dev, or the one of your clang)"
  exit 77
fi
make --no-print-directory -j"$(getconf _NPROCESSORS_ONLN)" BUILD="$build" TARGETS="$*" build corpus >"$build/make.log" 2>&1 || { cat "$build/make.log"; exit 1; }

passed=0 failed=0
count() { # the exit code of a run, its log
  if [ "$1" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); tail -n 40 "$2"; fi
}
for target in "$@"; do
  here=$build/runs/$target
  mkdir -p "$here/findings" "$here/grown"
  if "$build/$target" $limits "$here"/corpus/* >"$here/replay.log" 2>&1; then
    passed=$((passed + $(ls "$here/corpus" | wc -l)))
  else
    for seed in "$here"/corpus/*; do
      "$build/$target" $limits "$seed" >"$here/replay.log" 2>&1
      count $? "$here/replay.log"
    done
  fi
  if [ "$seconds" -gt 0 ]; then
    [ "$target" = decode_fuzz ] && dictionary=-dict=jpeg.dict || dictionary=
    "$build/$target" $limits -max_total_time="$seconds" -print_final_stats=1 $dictionary -artifact_prefix="$here/findings/" \
      "$here/grown" "$here/corpus" >"$here/fuzz.log" 2>&1
    count $? "$here/fuzz.log"
    echo "$target:"
    grep -a '^stat::' "$here/fuzz.log"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
