using System.Text;

namespace RaftKv.Bench.Wire;

/// <summary>A header field, in one array: the name, then the value.</summary>
internal sealed class HeaderField(byte[] bytes, int nameLength)
{
    public ReadOnlySpan<byte> Name => bytes.AsSpan(0, nameLength);

    public ReadOnlySpan<byte> Value => bytes.AsSpan(nameLength);

    /// <summary>What it counts for in a table: RFC 7541 §4.1.</summary>
    public int Size => bytes.Length + 32;

    public static HeaderField Of(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) => new([.. name, .. value], name.Length);

    public static HeaderField Of(string name, string value) => Of(Encoding.ASCII.GetBytes(name), Encoding.ASCII.GetBytes(value));
}

/// <summary>The table of HTTP/2 header fields by number: RFC 7541 §2.3. First the fixed 61, then what was added, newest first.</summary>
/// <remarks>Owned by one decoder or encoder.</remarks>
internal sealed class HeaderTable
{
    /// <summary>The size that both sides assume until one says otherwise.</summary>
    public const int DefaultBytes = 4096;

    private static readonly HeaderField[] s_fixed =
    [
        .. """
            :authority
            :method GET
            :method POST
            :path /
            :path /index.html
            :scheme http
            :scheme https
            :status 200
            :status 204
            :status 206
            :status 304
            :status 400
            :status 404
            :status 500
            accept-charset
            accept-encoding gzip, deflate
            accept-language
            accept-ranges
            accept
            access-control-allow-origin
            age
            allow
            authorization
            cache-control
            content-disposition
            content-encoding
            content-language
            content-length
            content-location
            content-range
            content-type
            cookie
            date
            etag
            expect
            expires
            from
            host
            if-match
            if-modified-since
            if-none-match
            if-range
            if-unmodified-since
            last-modified
            link
            location
            max-forwards
            proxy-authenticate
            proxy-authorization
            range
            referer
            refresh
            retry-after
            server
            set-cookie
            strict-transport-security
            transfer-encoding
            user-agent
            vary
            via
            www-authenticate
            """.Split('\n').Select(line => line.Split(' ', 2)).Select(field => HeaderField.Of(field[0], field.Length > 1 ? field[1] : "")),
    ];

    /// <summary>Oldest first.</summary>
    private readonly List<HeaderField> _added = [];
    private int _bytes;
    private int _maxBytes = DefaultBytes;

    /// <summary>The field of that number. Throws <see cref="WireException"/> when there is none.</summary>
    public HeaderField this[int number]
    {
        get
        {
            if (number < 1 || number > s_fixed.Length + _added.Count) throw new WireException("bad-header");
            return number <= s_fixed.Length ? s_fixed[number - 1] : _added[^(number - s_fixed.Length)];
        }
    }

    /// <summary>Adds a field; the oldest make room for it. One that is larger than the table empties it.</summary>
    public void Add(HeaderField field)
    {
        _added.Add(field);
        _bytes += field.Size;
        Evict();
    }

    /// <summary>Throws <see cref="WireException"/> beyond <see cref="DefaultBytes"/>, which is all we ever allow.</summary>
    public void Resize(int maxBytes)
    {
        if (maxBytes > DefaultBytes) throw new WireException("bad-header");
        _maxBytes = maxBytes;
        Evict();
    }

    private void Evict()
    {
        int evicted = 0;
        for (; _bytes > _maxBytes; evicted++) _bytes -= _added[evicted].Size;
        _added.RemoveRange(0, evicted);
    }
}
