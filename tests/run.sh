#!/usr/bin/env bash
# Builds everything and runs every check; make test calls it.
#
#   tests/run.sh              dependencies, build, format, every test program, simulator, mutants
#   tests/run.sh SUITE...     builds and runs these test programs only, e.g. RaftKv.Raft.Tests
#
# Variables: SIM_SEEDS (200) seeds for the simulator; SUITE_TIMEOUT (600) seconds for each program; CI=true makes a test
# that could not run a failure.
#
# Prints a line per stage. The closing lines name each test that failed, "failed: <test>: <message>" (its beginning), and each
# that could not run, "not run: <reason> (<test>)"; the last line is always "N passed, N failed". Exits 0 only when nothing failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly results=artifacts/test-results
readonly totals_pattern='^[0-9]+ passed, [0-9]+ failed$'
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

passed=0
failed=0
finished=false
not_run=()
failures=()

# From here on whatever happens, also an error in this script or Ctrl-C, ends in the closing lines.
close() {
  local status=$?
  trap - EXIT
  if [ "$finished" = false ]; then
    echo "stopped before the end (exit code $status)"
    failed=$((failed + 1))
  fi
  local line
  for line in ${failures[@]+"${failures[@]}"}; do echo "$line"; done
  for line in ${not_run[@]+"${not_run[@]}"}; do echo "$line"; done
  if [ "${CI:-}" = true ] && [ "${#not_run[@]}" -gt 0 ]; then
    echo "${#not_run[@]} not run, which counts as failed because CI=true"
    failed=$((failed + ${#not_run[@]}))
  fi
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ] || exit 1
  exit 0
}

# report NAME SECONDS PASSED FAILED NOT_RUN
report() { printf '%-32s %6d passed %4d failed %4d not run %6d s\n' "$1" "$3" "$4" "$5" "$2"; }

# check NAME COMMAND...: a step that passes or fails as a whole. It adds nothing to the passed tests; failing adds 1 to failed.
check() {
  local name=$1 start=$SECONDS status=0
  shift
  ("$@") >"$results/$name.log" 2>&1 || status=$? # In a subshell: else a trap's closing lines would go to the log.
  settle_check "$name" "$start" "$status"
}

# begin NAME COMMAND...: the same, beside what comes next; finish says what became of it.
begin() {
  local name=$1
  shift
  began=$SECONDS
  ("$@") >"$results/$name.log" 2>&1 &
  beside=$!
}

finish() {
  local status=0
  wait "$beside" || status=$?
  settle_check "$1" "$began" "$status"
}

# settle_check NAME START STATUS
settle_check() {
  local name=$1 start=$2 status=$3
  if [ "$status" -eq 0 ]; then
    printf '%-32s ok %50d s\n' "$name" $((SECONDS - start))
    return 0
  fi
  failed=$((failed + 1))
  tail -n 100 "$results/$name.log"
  echo "$name FAILED (exit code $status), see $results/$name.log"
  return 1
}

# limited PROGRAM...: within SUITE_TIMEOUT seconds, without input. At its end a whole process group is killed, so that no node
# started by a test is left; at a terminal the program shares ours, or Ctrl-C would not reach it.
timeout_options=(--kill-after=30)
[ ! -t 1 ] || timeout_options+=(--foreground)
limited() {
  timeout "${timeout_options[@]}" "${SUITE_TIMEOUT:-600}" "$@" </dev/null
}

# stage NAME COMMAND...: a program of many tests that ends with a line "N passed, N failed", which is added to the totals,
# and may print lines "not run: <reason>".
stage() {
  local name=$1 start=$SECONDS status=0 log="$results/$1.log" totals here_passed here_failed line here_not_run=0
  shift
  (limited "$@") >"$log" 2>&1 || status=$?
  totals=$(grep -E "$totals_pattern" "$log" | tail -n 1) || totals="0 passed, 0 failed"
  here_passed=${totals%% passed*}
  here_failed=${totals#*, }
  here_failed=${here_failed%% failed}
  while IFS= read -r line; do
    not_run+=("$line")
    here_not_run=$((here_not_run + 1))
  done < <(grep '^not run: ' "$log")
  settle "$name" "$start" "$status" "$log" "$here_passed" "$here_failed" "$here_not_run"
}

# suite NAME: the xunit.v3 program of tests/NAME. Counts and reasons come from its XML report, not from its output.
suite() {
  local name=$1 start=$SECONDS status=0 log="$results/$1.log" xml="$results/$1.xml" summary here_failed line here_not_run=0
  local program="artifacts/bin/$name/release/$name"
  rm -f "$xml"
  (limited "$program" -noColor -noLogo -xml "$xml") >"$log" 2>&1 || status=$?
  summary=$(grep -o '<assembly [^>]*>' "$xml" 2>/dev/null | head -n 1) || summary=""
  here_failed=$(($(attribute failed "$summary") + $(attribute errors "$summary")))
  if [ -n "$summary" ]; then
    while IFS= read -r line; do
      not_run+=("$line")
      here_not_run=$((here_not_run + 1))
    done < <(skipped_tests "$xml")
    while IFS= read -r line; do failures+=("$line"); done < <(failed_tests "$xml")
  fi
  settle "$name" "$start" "$status" "$log" "$(attribute passed "$summary")" "$here_failed" "$here_not_run"
}

# attribute NAME ELEMENT: the number in an attribute of an XML element, 0 if there is none.
attribute() {
  local value
  value=$(sed -n "s/.* $1=\"\([0-9]*\)\".*/\1/p" <<<"$2")
  echo "${value:-0}"
}

# skipped_tests XML: "not run: <reason> (<test>)" for each skipped test of an xunit report.
skipped_tests() { tests_of "$1" Skip reason 'not run: \2 (\1)'; }

# failed_tests XML: "failed: <test>: <message>" for each failed one. A property's message is long; its seed and its first lines stand in front.
failed_tests() { tests_of "$1" Fail message 'failed: \1: \2' | cut -c 1-3000; }

# tests_of XML RESULT ELEMENT FORM: a line for each test with this result; in the form, \1 is its name and \2 what the element says.
tests_of() {
  tr '\n' ' ' <"$1" | sed 's/<test /\n<test /g' |
    sed -n "/^<test [^>]* result=\"$2\"/ { s/<!\[CDATA\[//; s/\]\]>//; s/^<test [^>]* name=\"\([^\"]*\)\"[^>]*>.*<$3>\(.*\)<\/$3>.*/$4/; "'s/\\\{0,1\}&quot;/"/g; s/\\"/"/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g; p }'
}

# settle NAME START STATUS LOG PASSED FAILED NOT_RUN: adds up, reports, and shows the log of what failed. A program that
# ends badly although no test of it failed, or that ran no test at all, has failed as a whole: 1.
settle() {
  local name=$1 start=$2 status=$3 log=$4 here_passed=$5 here_failed=$6 here_not_run=$7 why=""
  if [ "$here_failed" -eq 0 ]; then
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
      why="killed, or longer than ${SUITE_TIMEOUT:-600} s"
    elif [ "$status" -ne 0 ]; then
      why="exit code $status"
    elif [ $((here_passed + here_not_run)) -eq 0 ]; then
      why="no test ran"
    fi
  fi
  [ -z "$why" ] || here_failed=1
  passed=$((passed + here_passed))
  failed=$((failed + here_failed))
  report "$name" $((SECONDS - start)) "$here_passed" "$here_failed" "$here_not_run"
  [ "$here_failed" -eq 0 ] || { tail -n 200 "$log"; echo "$name FAILED${why:+ ($why)}, see $log"; }
}

build() { dotnet build "$1" --configuration Release --verbosity quiet --property:RestoreLockedMode=true; }

format() { dotnet format RaftKv.sln --verify-no-changes --no-restore; }

# By project, not by what lies in artifacts/: so a suite that was not built is seen, and a removed one is not run.
all_suites() {
  local project
  for project in tests/*.Tests/*.Tests.csproj; do basename "$project" .csproj; done
}

has_processes() { case $1 in RaftKv.Node.Tests | RaftKv.Harness.Tests | RaftKv.Bench.Tests | shardctl.Tests) true ;; *) false ;; esac; }

run_some() {
  local name
  for name in "$@"; do
    check "build-$name" build "tests/$name" || continue
    suite "$name"
  done
}

run_all() {
  local name
  check dependencies tests/deps.sh run || return 0
  check build build RaftKv.sln || return 0
  # The format takes one core for a minute and more. Suites that start processes and watch their times wait until it is over.
  begin format format
  for name in $(all_suites); do if ! has_processes "$name"; then suite "$name"; fi; done
  finish format || true
  for name in $(all_suites); do if has_processes "$name"; then suite "$name"; fi; done
  stage simulator artifacts/bin/RaftKv.Simulator/release/RaftKv.Simulator run --fresh --seeds "${SIM_SEEDS:-200}"
  stage mutants tests/mutants/run.sh
}

mkdir -p "$results"
trap close EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ $# -gt 0 ]; then run_some "$@"; else run_all; fi
finished=true
