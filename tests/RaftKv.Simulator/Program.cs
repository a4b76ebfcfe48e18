using System.CommandLine;
using RaftKv.Simulator;

Option<int> seeds = new("--seeds") { Description = "How many seeds to run", DefaultValueFactory = _ => 100 };
Option<ulong> start = new("--start") { Description = "The first seed", DefaultValueFactory = _ => 1 };
Option<int> seconds = new("--seconds") { Description = "Simulated seconds of load and faults for each seed", DefaultValueFactory = _ => 60 };
Option<ulong> seed = new("--seed") { Description = "The seed to replay", Required = true };
Option<bool> noTrace = new("--no-trace") { Description = "Print the result only" };
Option<int> jobs = new("--jobs") { Description = "Worlds run side by side", DefaultValueFactory = _ => Environment.ProcessorCount };
Option<string?> mutant = new("--mutant") { Description = "The deliberate fault to switch on (mutants build only)" };
Option<bool> untilFailure = new("--until-failure") { Description = "Stop at the first failing seed and exit 0 if there was one: for mutants" };
Option<SimTheme?> theme = new("--theme") { Description = "All worlds are about this, instead of what their seeds draw" };
Option<bool> fresh = new("--fresh") { Description = "Begin anew where an earlier run of this build was stopped" };

Command run = new("run", "Run many seeds, from where an earlier run of this build was stopped; last line: N passed, N failed, of all of them") { seeds, start, seconds, jobs, mutant, untilFailure, theme, fresh };
run.SetAction(result => Runs.RunMany(result.GetValue(start), result.GetValue(seeds), result.GetValue(seconds), result.GetValue(jobs), result.GetValue(mutant), result.GetValue(untilFailure), result.GetValue(theme), result.GetValue(fresh)));
Command replay = new("replay", "Replay one seed exactly, with its trace") { seed, seconds, noTrace, mutant, theme };
replay.SetAction(result => Runs.Replay(result.GetValue(seed), result.GetValue(seconds), !result.GetValue(noTrace), result.GetValue(mutant), result.GetValue(theme)));
return new RootCommand("RaftKv's deterministic simulator: whole nodes under faults, one seed one run") { run, replay }.Parse(args).Invoke();
