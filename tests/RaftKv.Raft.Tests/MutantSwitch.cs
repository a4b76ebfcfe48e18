#if MUTANTS
using System.Runtime.CompilerServices;

namespace RaftKv.Raft.Tests;

/// <summary>Turns on the mutant named by the environment variable MUTANT; every mutant must fail a test here.</summary>
internal static class MutantSwitch
{
    [ModuleInitializer]
    public static void TurnOn()
    {
        if (Environment.GetEnvironmentVariable("MUTANT") is { } name) Mutants.Active = Enum.Parse<Mutant>(name);
    }
}
#endif
