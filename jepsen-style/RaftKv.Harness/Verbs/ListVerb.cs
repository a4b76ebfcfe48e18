using System.CommandLine;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Workloads;

namespace RaftKv.Harness.Verbs;

/// <summary><c>jepsen-style list</c>: what there is, and what this machine can do.</summary>
internal static class ListVerb
{
    public static Command Create(Screen screen)
    {
        Command command = new("list", "Show workloads and faults, and what this machine cannot inject and why.");
        command.SetAction(_ =>
        {
            List<Cell[]> workloads = [.. WorkloadCatalog.All.Select(row => (Cell[])[new(row.Name, "bold"), row.Summary])];
            workloads.AddRange(WorkloadCatalog.Unsupported.Select(row => (Cell[])[new(row.Name, "grey"), new($"unsupported: RaftKv has no {row.Missing} yet", "grey")]));
            screen.Table(["workload", "what it shows"], workloads);
            screen.Line();
            List<Cell[]> faults = [.. FaultCatalog.All.Select(fault => (Cell[])[new(fault.Name, "bold"), fault.Track.ToString().ToLowerInvariant(), Here(fault), fault.Summary])];
            faults.AddRange(FaultCatalog.NotYet.SelectMany(row => row.Name.Split(", ").Select(name => (Cell[])[new(name, "grey"), "", new("not yet", "grey"), new($"needs {row.Missing}", "grey")])));
            screen.Table(["fault", "track", "here", "what it does"], faults);
            return ExitCode.Valid;
        });
        return command;
    }

    private static Cell Here(Fault fault) => FaultCatalog.MissingFor(fault) is { } missing ? new Cell(missing, "yellow") : new Cell("yes", "green");
}
