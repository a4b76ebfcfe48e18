#!/usr/bin/env bash
# Proves that the harness can see: nodes with a deliberate fault of Mutants.cs must be convicted by it (exit code 1).
#
#   tests/mutants/kill-table.sh [MUTANT...]     those with a plan in tests/mutants/plans, all if none is named
#
# A plan's faults fall at the same times each time, but processes do not run alike: each has TRIES (3) seeds. Prints a line for each mutant, with the
# sentence of the finding; the last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

out=${OUT:-out/kill-table}
mkdir -p "$out"
log=$out/build.log
dotnet build node/RaftKv.Node --configuration Release --verbosity quiet --property:Mutants=true --property:RestoreLockedMode=true >"$log" 2>&1 || { cat "$log"; echo "0 passed, 1 failed"; exit 1; }
export RAFTKV_NODE=$PWD/artifacts/mutants/bin/RaftKv.Node/release/RaftKv.Node

passed=0
failed=0
names=("$@")
[ ${#names[@]} -gt 0 ] || names=($(cd tests/mutants/plans && ls -- *.json | sed 's/\.json$//'))
for name in "${names[@]}"; do
  verdict="NOT caught"
  for seed in $(seq 1 "${TRIES:-3}"); do
    status=0
    RAFTKV_MUTANT=$name bin/jepsen-style run "tests/mutants/plans/$name.json" --seed "$seed" --out "$out" >"$out/$name.log" 2>&1 || status=$?
    if [ "$status" -eq 1 ]; then
      verdict="caught by seed $seed: $(grep -A1 '^INVALID' "$out/$name.log" | tail -n 1 | sed 's/^ *//')"
      break
    fi
    verdict="NOT caught, exit code $status: $(tail -n 4 "$out/$name.log" | head -n 1)"
  done
  if [ "$status" -eq 1 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  printf '%-30s %s\n' "$name" "$verdict"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
