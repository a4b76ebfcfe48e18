#if MUTANTS
using System.Runtime.CompilerServices;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>A build with -p:Mutants=true takes the mutant that is to be caught from RAFTKV_MUTANT.</summary>
internal static class MutantSwitch
{
    [ModuleInitializer]
    internal static void SwitchOn()
    {
        if (Environment.GetEnvironmentVariable("RAFTKV_MUTANT") is { } name) Mutants.Active = Enum.Parse<Mutant>(name);
    }
}
#endif
