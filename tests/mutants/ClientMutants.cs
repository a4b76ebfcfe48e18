namespace RaftKv.Client;

/// <summary>The switch of Mutants.cs for the client, which sees nothing of RaftKv.Raft: by the names the mutants have there.</summary>
public static class ClientMutants
{
    public static string Active { get; set; } = "";

    public static bool On(string mutant) => Active == mutant;
}
