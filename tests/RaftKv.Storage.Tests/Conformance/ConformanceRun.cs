using RaftKv.MultiRaft.Ports;

namespace RaftKv.OrderedStores;

/// <summary>A store and its model side by side; each command goes to both and their answers are compared.</summary>
internal sealed class ConformanceRun(Func<string, IOrderedStore> open, string name) : IDisposable
{
    private readonly StoreModel _model = new();
    private readonly WriteBatch _batch = new();
    private IOrderedStore _store = open(name);
    private IOrderedCursor? _cursor;
    private List<(byte[] Key, byte[] Value)> _rowsAtCursor = [];

    public void Apply(StoreCommand command)
    {
        switch (command)
        {
            case StoreCommand.Write write: Write(write); break;
            case StoreCommand.Get get: Get(get.Key); break;
            case StoreCommand.Scan scan: Expect.Rows(_model.Scan(scan.Start, scan.End), StoreModel.Scan(_store, scan.Start, scan.End)); break;
            case StoreCommand.HoldCursor hold: HoldCursor(hold.End); break;
            case StoreCommand.Flush: Flush(); break;
            case StoreCommand.Reopen: Reopen(); break;
            default: throw new InvalidOperationException($"unknown command {command}");
        }
    }

    /// <summary>Compares what no command has compared yet.</summary>
    public void CheckAtEnd()
    {
        CheckAndCloseCursor();
        Expect.Rows(_model.Scan([], []), StoreModel.Scan(_store, [], []));
        _store.ThrowIfFailed();
    }

    public void Dispose()
    {
        _cursor?.Dispose();
        _store.Dispose();
    }

    private void Write(StoreCommand.Write write)
    {
        _batch.Clear();
        StoreCommand.Fill(_batch, write);
        _store.Write(_batch);
        _model.Write(_batch);
    }

    private void Get(byte[] key)
    {
        Assert.Equal(_model.Get(key), _store.Get(key));
        Assert.Contains(_store.GetPersisted(key), _model.Persisted(key));
    }

    private void HoldCursor(byte[] end)
    {
        CheckAndCloseCursor();
        _cursor = _store.OpenCursor(end);
        _rowsAtCursor = _model.Scan([], end);
    }

    private void Flush()
    {
        _store.Flush();
        _model.Flush();
        foreach (byte[] key in _model.Rows.Keys) Assert.Equal(_model.Get(key), _store.GetPersisted(key));
    }

    private void Reopen()
    {
        Flush();
        CheckAndCloseCursor();
        _store.Dispose();
        _store = open(name);
    }

    private void CheckAndCloseCursor()
    {
        if (_cursor is null) return;
        Expect.Rows(_rowsAtCursor, StoreModel.Scan(_cursor, []));
        _cursor.Dispose();
        _cursor = null;
    }
}
