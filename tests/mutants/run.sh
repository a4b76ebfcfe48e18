#!/usr/bin/env bash
# Proves that the checks can see: every deliberate fault of Mutants.cs must be caught by the simulator.
#
#   tests/mutants/run.sh            for each, the seed known to kill (seeds.txt), in a world of the theme named there; one that does not any
#                                   more is looked for again, for PATIENCE (15) seconds, and said to be stale: quick, part of make test
#   tests/mutants/run.sh --search   SEEDS=1000 seeds for each: says in how many each is caught, and writes the first one to
#                                   seeds.txt (make mutants); needed when a change of the product shifts what seeds do
#
# The last line is always "N passed, N failed": a mutant that is caught has passed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly simulator=artifacts/mutants/bin/RaftKv.Simulator/release/RaftKv.Simulator
readonly seeds=tests/mutants/seeds.txt
passed=0
failed=0

names() { sed -n '/public enum Mutant/,/^}/p' tests/mutants/Mutants.cs | grep -oE '^    [A-Z][A-Za-z0-9]+,$' | tr -d ' ,' | grep -v '^None$'; }

# field NAME NUMBER: of the mutant's line in seeds.txt, "name theme seed"; a theme of - is any.
field() { awk -v name="$1" -v number="$2" '$1 == name { print $number }' "$seeds"; }

# noted NAME: sets what is noted of the mutant: theme, seed, and the theme as an option of the simulator (world) and in words (about).
noted() {
  theme=$(field "$1" 2)
  seed=$(field "$1" 3)
  world=()
  [ "${theme:--}" = - ] || world=(--theme "$theme")
  about=${world[*]:+ in worlds about $theme}
}

# settle NAME CAUGHT TEXT
settle() {
  if [ "$2" = true ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  printf '%-38s %s\n' "$1" "$3"
}

# first_of LOG: the lowest seed that failed.
first_of() { grep -oE '^seed [0-9]+ FAILED' "$1" | grep -oE '[0-9]+' | sort -n | head -n 1; }

log=$(mktemp)
found=$(mktemp)
results=$(mktemp -d)
trap 'rm -rf "$log" "$found" "$results"' EXIT
if ! dotnet build tests/RaftKv.Simulator --configuration Release --verbosity quiet --property:Mutants=true --property:RestoreLockedMode=true >"$log" 2>&1; then
  cat "$log"
  echo "0 passed, 1 failed"
  exit 1
fi

# by_seed NAME: the seed noted, and if that is stale, another. Prints "true TEXT" or "false TEXT".
by_seed() {
  local name=$1 theme seed world about log first=""
  noted "$name"
  if [ -n "$seed" ] && "$simulator" run --mutant "$name" --start "$seed" --seeds 1 --until-failure "${world[@]}" >/dev/null; then
    echo "true caught by seed $seed$about"
    return
  fi

  log=$(mktemp)
  timeout "${PATIENCE:-15}" "$simulator" run --mutant "$name" --seeds 100000 --until-failure "${world[@]}" >"$log" || true
  first=$(first_of "$log") || true
  rm -f "$log"
  echo "$([ -n "$first" ] && echo true || echo false) seed ${seed:-(none noted)} is stale$about; $([ -n "$first" ] && echo "caught by $first" || echo "not caught in ${PATIENCE:-15} s")"
}

# A seed is one thread's work: one for each core.
run_all() {
  local name verdict
  for name in $(names); do
    [ "$(jobs -r | wc -l)" -lt "$(nproc)" ] || wait -n
    by_seed "$name" >"$results/$name" &
  done
  wait
  for name in $(names); do
    verdict=$(cat "$results/$name")
    settle "$name" "${verdict%% *}" "${verdict#* }"
  done
}

search_all() {
  local name theme seed world about totals first
  for name in $(names); do
    noted "$name"
    totals=$("$simulator" run --mutant "$name" --seeds "${SEEDS:-1000}" "${world[@]}" | tee "$log" | tail -n 1) || true
    first=$(first_of "$log") || true
    echo "$name ${theme:--} ${first:-$seed}" >>"$found"
    settle "$name" "$([ -n "$first" ] && echo true || echo false)" "caught in $(echo "$totals" | grep -oE '[0-9]+ failed' | grep -oE '[0-9]+') of ${SEEDS:-1000} seeds$about, first: ${first:-none}"
  done
  cp "$found" "$seeds"
}

if [ "${1:-}" = --search ]; then search_all; else run_all; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
