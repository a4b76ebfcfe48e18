using System.Text;

namespace RaftKv.Raft;

/// <summary>The one notation for messages, Ready and groups: golden scenarios, debug views and simulator traces all use it.</summary>
public static class RaftText
{
    public static string Describe(in Message message)
    {
        string head = $"{message.From}>{message.To} {message.Kind} {message.Term}";
        return message.Kind switch
        {
            MessageKind.PreVote or MessageKind.Vote => $"{head} last {message.Index}/{message.LogTerm}{(message.IsHandOver ? " handed over" : "")}",
            MessageKind.PreVoteResponse or MessageKind.VoteResponse => $"{head} {(message.Rejected ? "rejected" : "granted")}",
            MessageKind.Append => $"{head} after {message.Index}/{message.LogTerm} commit {message.Commit} {DescribeEntries(message.Entries.Span)}",
            MessageKind.AppendResponse when message.Rejected => $"{head} rejected {message.Index} hint {message.Hint}/{message.LogTerm}",
            MessageKind.AppendResponse => $"{head} match {message.Index}",
            MessageKind.Heartbeat => $"{head} commit {message.Commit} round {message.ReadRound}",
            MessageKind.Hibernate => $"{head} at {message.Index}",
            MessageKind.HibernateResponse => $"{head} {(message.Rejected ? "rejected" : "asleep")}",
            MessageKind.HeartbeatResponse => $"{head} round {message.ReadRound}",
            MessageKind.ReadIndexResponse => $"{head} at {message.Index}",
            _ => head,
        };
    }

    public static string DescribeEntries(ReadOnlySpan<Entry> entries) =>
        entries.Length switch
        {
            0 => "[]",
            1 => $"[{entries[0].Index}/{entries[0].Term}]",
            _ => $"[{entries[0].Index}/{entries[0].Term}..{entries[^1].Index}/{entries[^1].Term}]",
        };

    public static string Describe(RaftGroup group) =>
        $"{group.Group}/{group.Replica} {group.Role} {group.Term} vote {group.Vote} leader {group.Leader} " +
        $"commit {group.Commit} applied {group.Applied} durable {group.DurableIndex} last {group.LastIndex}/{group.TermAt(group.LastIndex)}{(group.IsAsleep ? " asleep" : "")}";

    public static string Describe(Ready ready)
    {
        StringBuilder text = new();
        if (ready.LogStart is { } start) text.AppendLine($"log begins after {start.Index}/{start.Term}{(start.KeepsLogBehind ? "" : ", empty")}");
        if (ready.HardState is { } hardState) text.AppendLine($"hard state {hardState}");
        if (!ready.Entries.IsEmpty) text.AppendLine($"append {DescribeEntries(ready.Entries.Span)}");
        foreach (Message message in ready.SendNow) text.AppendLine($"send {message}");
        foreach (Message message in ready.SendAfterPersist) text.AppendLine($"send after persist {message}");
        if (ready.ApplyLast > LogIndex.Zero) text.AppendLine($"apply {ready.ApplyFirst}..{ready.ApplyLast}{(ready.ApplyEntries.IsEmpty ? " from the log" : "")}");
        foreach (ReadGrant grant in ready.ReadGrants) text.AppendLine($"read {grant.Context} at {grant.Index}{(grant.LeaseUntilMicros == 0 ? "" : " by lease")}");
        foreach (ulong context in ready.ReadsDropped) text.AppendLine($"read {context} dropped");
        foreach (LogReadRequest read in ready.LogReads) text.AppendLine($"log read for {read.For} {read.First}..{read.Last}");
        foreach (ReplicaId replica in ready.SnapshotsToSend) text.AppendLine($"snapshot for {replica}");
        if (ready.AsksEverybody) text.AppendLine("asks everybody");
        if (ready.IsRemoved) text.AppendLine("removed");
        return text.ToString();
    }
}
