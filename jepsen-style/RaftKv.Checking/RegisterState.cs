namespace RaftKv.Checking;

/// <summary>
/// What is known of one key between two operations. The true state is (value or absent, revision of the last change);
/// this stands for every true state that the order chosen so far allows. Those differ in the revision only:
/// <list type="bullet">
/// <item>Exact: it is <see cref="Revision"/>.</item>
/// <item>Not exact: it is any number ≥ <see cref="Revision"/> that is not in <see cref="RuledOut"/>.</item>
/// </list>
/// </summary>
/// <remarks>
/// <para>Invariants: what is allowed is never empty, and Revision is its least element; RuledOut holds only larger
/// numbers, and none if Exact; an absent key has Value 0, is not Exact and rules nothing out, since nobody can observe
/// the revision of a deletion afterwards, only that later ones are larger. So states that allow the same are equal.</para>
/// <para>Nothing else has to be remembered, whatever chain of unreported revisions led here: each of them is bounded by
/// its predecessor from below only, so every number allowed for the last one is reachable by giving the ones before
/// their least numbers. For the same reason a later change needs the least number only.</para>
/// </remarks>
/// <param name="Present">The key has a value.</param>
/// <param name="Value">The id of the value; 0 if absent.</param>
/// <param name="Revision">The least revision that the last change can have had; 0 before any change.</param>
/// <param name="Exact">The last change had exactly that revision.</param>
/// <param name="RuledOut">
/// A number of <see cref="RevisionSets"/>: revisions that a refused if-match proved not to be the current one without
/// saying which is.
/// </param>
/// <param name="Unproven">
/// The last change is an optional write that no operation has observed; see <see cref="VersionedRegisterModel"/>.
/// </param>
public readonly record struct RegisterState(bool Present, long Value, ulong Revision, bool Exact, int RuledOut, bool Unproven)
{
    /// <summary>A key that was never written.</summary>
    public static RegisterState NeverWritten => default;
}
