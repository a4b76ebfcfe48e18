namespace RaftKv.Harness.Plans;

/// <summary>Seeds for the parts of a run, out of its one: the same in every process, which <see cref="HashCode"/> is not.</summary>
internal static class Seeds
{
    /// <summary>FNV-1a over the numbers.</summary>
    public static int Of(int seed, params ReadOnlySpan<int> parts)
    {
        uint hash = 2_166_136_261;
        Mix(seed);
        foreach (int part in parts) Mix(part);
        return (int)(hash & int.MaxValue);

        void Mix(int number)
        {
            for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ (byte)(number >> shift)) * 16_777_619;
        }
    }
}
