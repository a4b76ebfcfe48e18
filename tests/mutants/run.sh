#!/usr/bin/env bash
# Proves that the checks can see: every deliberate fault of Mutants.cs must be caught by the simulator.
#
#   tests/mutants/run.sh            seeds known to kill (seeds.txt): quick, part of make test
#   tests/mutants/run.sh --search   SEEDS=1000 seeds for each: says in how many each is caught, and writes the first ones to
#                                   seeds.txt (make mutants); needed when a change of the product shifts what seeds do
#
# The last line is always "N passed, N failed": a mutant that is caught has passed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly simulator=artifacts/mutants/bin/RaftKv.Simulator/release/RaftKv.Simulator
readonly seeds=tests/mutants/seeds.txt
passed=0
failed=0

names() { sed -n '/public enum Mutant/,/^}/p' tests/mutants/Mutants.cs | grep -oE '^    [A-Z][A-Za-z]+,$' | tr -d ' ,' | grep -v '^None$'; }

# settle NAME CAUGHT TEXT
settle() {
  if [ "$2" = true ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  printf '%-38s %s\n' "$1" "$3"
}

build_log=$(mktemp)
trap 'rm -f "$build_log"' EXIT
if ! dotnet build tests/RaftKv.Simulator --configuration Release --verbosity quiet --property:Mutants=true --property:RestoreLockedMode=true >"$build_log" 2>&1; then
  cat "$build_log"
  echo "0 passed, 1 failed"
  exit 1
fi

[ "${1:-}" != --search ] || : >"$seeds"
for name in $(names); do
  if [ "${1:-}" = --search ]; then
    totals=$("$simulator" run --mutant "$name" --seeds "${SEEDS:-1000}" | tee "$build_log" | tail -n 1) || true
    first=$(grep -oE '^seed [0-9]+ FAILED' "$build_log" | grep -oE '[0-9]+' | sort -n | head -n 8 | tr '\n' ' ') || true
    echo "$name $first" >>"$seeds"
    settle "$name" "$([ -n "$first" ] && echo true || echo false)" "caught in $(echo "$totals" | grep -oE '[0-9]+ failed' | grep -oE '[0-9]+') of ${SEEDS:-1000} seeds, first: ${first:-none}"
    continue
  fi
  known=$(awk -v name="$name" '$1 == name { $1 = ""; print }' "$seeds")
  caught=false
  by="none of:$known"
  for seed in $known; do
    if "$simulator" run --mutant "$name" --start "$seed" --seeds 1 --until-failure >/dev/null; then
      caught=true
      by="caught by seed $seed"
      break
    fi
  done
  settle "$name" "$caught" "$by"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
