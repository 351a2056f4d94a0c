#!/usr/bin/env bash
# Runs each fuzz target for SECONDS on its seeds and what it found before, and fails at the first crash:
#   fuzz/run.sh SECONDS [TARGET…]
# Needs cargo, and a C++ compiler for libFuzzer. The toolchain is the stable one: RUSTC_BOOTSTRAP lets it
# take the one flag that is not stable, the address sanitizer, which also sees a single huge allocation.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET…]}
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for main in src/bin/*.rs; do targets+=("$(basename "$main" .rs)"); done
fi

host=$(rustc -vV | sed -n 's/^host: //p')
flags=(
  -Cpasses=sancov-module
  -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares
  -Zsanitizer=address
)
# With --target the flags leave build scripts alone.
RUSTC_BOOTSTRAP=1 RUSTFLAGS="${flags[*]}" cargo build --release --bins --target "$host"

for target in "${targets[@]}"; do
  echo "== $target, $seconds seconds"
  mkdir -p "corpus/$target" "artifacts/$target"
  log="artifacts/$target/log"
  if ! "target/$host/release/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=64 \
    -artifact_prefix="artifacts/$target/" "corpus/$target" "seeds/$target" >"$log" 2>&1; then
    cat "$log"
    echo "$target failed. Replay it with fuzz/target/$host/release/$target FILE; once it is mended, keep the file in fuzz/seeds/$target/."
    exit 1
  fi
  tail -n 1 "$log"
done
