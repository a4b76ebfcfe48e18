namespace RaftKv.Checking.Histories;

/// <summary>What a checker found wrong: the few calls that contradict each other, and why in one sentence.</summary>
/// <param name="Checker">Which one, by its short name: replay, set, bank.</param>
/// <param name="Sentence">For somebody who has not read the checker.</param>
/// <param name="Calls">The least number that shows it, in the order of time.</param>
/// <param name="Detail">More, in lines of text, for whom the sentence is not enough; may be empty.</param>
public sealed record Finding(string Checker, string Sentence, IReadOnlyList<ClientCall> Calls, string Detail = "");

/// <summary>What a checker says of a history: valid, invalid with the first finding, or unknown with the reason. Never valid without having looked.</summary>
/// <param name="Checked">Calls, transactions or elements that were looked at.</param>
/// <param name="Unknown">Why it could not decide; null if it could.</param>
public sealed record CheckVerdict(string Checker, long Checked, Finding? Finding, string? Unknown = null)
{
    public Verdict Verdict => Finding is not null ? Verdict.NotLinearizable : Unknown is not null ? Verdict.Unknown : Verdict.Linearizable;
}
