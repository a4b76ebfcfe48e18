using RaftKv.Raft;

namespace RaftKv.MultiRaft.Wire;

/// <summary>A group's configuration inside other formats: <see cref="Configuration.ToBytes"/>, as it is.</summary>
public static class ConfigurationCodec
{
    public static void Write(ByteWriter writer, Configuration configuration) => writer.Raw(configuration.ToBytes());

    public static Configuration Read(ref ByteReader reader)
    {
        try
        {
            Configuration configuration = Configuration.Parse(reader.Rest.Span, out int length);
            reader.Skip(length);
            return configuration;
        }
        catch (FormatException malformed)
        {
            throw new MalformedException(malformed.Message);
        }
    }
}
