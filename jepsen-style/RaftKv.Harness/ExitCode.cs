namespace RaftKv.Harness;

/// <summary>What the process ends with: a part of the interface that scripts rely on.</summary>
internal static class ExitCode
{
    /// <summary>Everything was checked and nothing is wrong.</summary>
    public const int Valid = 0;

    /// <summary>An answer cannot be: the history is convicted.</summary>
    public const int Invalid = 1;

    /// <summary>The command line, a plan or a history file is wrong, or the machine lacks what a fault needs; nothing was started.</summary>
    public const int Usage = 2;

    /// <summary>Not enough was seen to say either: never to be taken for valid.</summary>
    public const int Unknown = 3;
}
