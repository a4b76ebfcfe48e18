using System.Text;
using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.Node.Storage;
using RaftKv.Raft;
using RaftKv.Storage;

namespace RaftKv.Node.Tests.Storage;

/// <summary>Generations of stores on a real disk: staged file by file, opened, deleted; and what a crash leaves of them (design §7).</summary>
public sealed class ShardStoresTests : IDisposable
{
    private static readonly GroupId S7 = new(7);
    private readonly string _root = Directory.CreateTempSubdirectory("raftkv-stores-").FullName;
    private readonly RocksEnvironment _environment = new(1024 * 1024);
    private readonly RocksShardStores _stores;

    public ShardStoresTests()
    {
        Directory.CreateDirectory(Shards);
        _stores = new RocksShardStores(Shards, _environment, RocksStoreOptions.Default, Limits.Default);
    }

    private string Shards => Path.Combine(_root, "shards");

    public void Dispose()
    {
        _environment.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public void A_checkpoint_staged_piece_by_piece_opens_as_a_store_with_the_same_rows()
    {
        using IOrderedStore source = _stores.Create(S7, 1);
        WriteBatch batch = new();
        for (int i = 0; i < 5_000; i++) batch.Put(Encoding.UTF8.GetBytes($"key {i}"), Encoding.UTF8.GetBytes($"value {i}"));
        source.Write(batch);
        source.Flush();
        using ICheckpoint checkpoint = source.CreateCheckpoint();
        using (IStagedStore staged = _stores.Stage(S7, 2))
        {
            foreach (CheckpointFile file in checkpoint.Files) Copy(checkpoint, file, staged, pieceBytes: 1000);
            staged.Finish();
        }

        using IOrderedStore copy = _stores.Open(S7, 2);
        for (int i = 0; i < 5_000; i++) Assert.Equal($"value {i}", Encoding.UTF8.GetString(copy.GetPersisted(Encoding.UTF8.GetBytes($"key {i}"))!));
        Assert.Equal([(S7, 1UL), (S7, 2UL)], _stores.List()); // A checkpoint is no generation.
    }

    // What a checkpoint's sender read and sent may have been rotten already, or become so on the way.
    [Fact]
    public void A_flipped_byte_in_a_checkpoint_is_found_by_verifying_it_and_what_was_staged_from_it()
    {
        using IOrderedStore source = _stores.Create(S7, 1);
        WriteBatch batch = new();
        byte[] value = new byte[1000];
        for (int i = 0; i < 5_000; i++)
        {
            new Random(i).NextBytes(value);
            batch.Put(Encoding.UTF8.GetBytes($"key {i}"), value);
        }

        source.Write(batch);
        source.Flush();
        using ICheckpoint checkpoint = source.CreateCheckpoint();
        Assert.Single(checkpoint.Verify()); // Five MB, in steps of four.
        using (IStagedStore staged = _stores.Stage(S7, 2))
        {
            foreach (CheckpointFile file in checkpoint.Files) Copy(checkpoint, file, staged, pieceBytes: 100_000);
            staged.Finish();
            string[] files = Directory.GetFiles(Path.Combine(Shards, "7", "2"));
            Assert.Single(staged.Verify());
            Assert.Equal(files, Directory.GetFiles(Path.Combine(Shards, "7", "2")));
            FlipByte(files.Single(file => file.EndsWith(".sst", StringComparison.Ordinal)));
            Assert.Throws<StoreDamagedException>(() => staged.Verify().Sum());
        }

        FlipByte(Directory.GetFiles(Path.Combine(Shards, "7", "1"), "*.sst").Single());
        StoreDamagedException damage = Assert.Throws<StoreDamagedException>(() => checkpoint.Verify().Sum());
        Assert.Contains("checksum mismatch", damage.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void There_is_as_much_room_as_the_disk_has_free_above_its_floor()
    {
        DriveInfo disk = new(Shards);
        RocksShardStores none = new(Shards, _environment, RocksStoreOptions.Default, Limits.Default with { MinFreeDiskBytes = disk.TotalSize });
        RocksShardStores all = new(Shards, _environment, RocksStoreOptions.Default, Limits.Default with { MinFreeDiskBytes = 0, MinFreeDiskPercent = 0 });
        Assert.InRange(none.RoomBytes, long.MinValue, 0);
        Assert.InRange(all.RoomBytes, 1, disk.TotalSize);
    }

    [Fact]
    public void Empty_files_and_files_of_one_piece_are_files()
    {
        using IStagedStore staged = _stores.Stage(S7, 1);
        staged.Write(new CheckpointFile("empty", 0), 0, default);
        staged.Write(new CheckpointFile("one", 3), 0, "abc"u8);
        staged.Write(new CheckpointFile("two", 4), 0, "ab"u8);
        staged.Write(new CheckpointFile("two", 4), 2, "cd"u8);
        staged.Finish();
        Assert.Equal([("empty", ""), ("one", "abc"), ("two", "abcd")],
            Directory.GetFiles(Path.Combine(Shards, "7", "1")).Order(StringComparer.Ordinal).Select(path => (Path.GetFileName(path), File.ReadAllText(path))));
    }

    [Fact]
    public void A_generation_that_is_there_already_is_not_staged_over()
    {
        _stores.Stage(S7, 1).Dispose();
        Assert.ThrowsAny<StoreFailedException>(() => _stores.Stage(S7, 1));
    }

    [Fact]
    public void A_store_that_was_given_up_half_way_can_be_deleted_and_nothing_opens_it()
    {
        IStagedStore staged = _stores.Stage(S7, 3);
        staged.Write(new CheckpointFile("half", 100), 0, new byte[50]);
        staged.Dispose();
        staged.Dispose();
        Assert.ThrowsAny<StoreFailedException>(() => _stores.Open(S7, 3));
        _stores.Delete(S7, 3);
        _stores.SyncDirectories();
        Assert.Empty(_stores.List());
    }

    [Fact]
    public void A_file_that_cannot_be_made_is_an_error_of_files()
    {
        using IStagedStore staged = _stores.Stage(S7, 1);
        Directory.CreateDirectory(Path.Combine(Shards, "7", "1", "taken"));
        Assert.Throws<DiskFailedException>(() => staged.Write(new CheckpointFile("taken", 1), 0, "a"u8));
    }

    // What a crash leaves: checkpoints that were being sent, for the next start.
    [Fact]
    public void Checkpoints_left_behind_are_deleted_in_every_group_and_stores_are_not()
    {
        foreach (ulong group in new ulong[] { 7, 8 })
        {
            using IOrderedStore store = _stores.Create(new GroupId(group), 1);
            store.Flush();
            store.CreateCheckpoint();
        }

        Assert.Equal(2, Directory.GetDirectories(Shards, "*.checkpoint-*", SearchOption.AllDirectories).Length);
        _stores.DeleteCheckpoints();
        Assert.Empty(Directory.GetDirectories(Shards, "*.checkpoint-*", SearchOption.AllDirectories));
        Assert.Equal([(S7, 1UL), (new GroupId(8), 1UL)], _stores.List());
        new RocksShardStores(Path.Combine(_root, "none"), _environment, RocksStoreOptions.Default, Limits.Default).DeleteCheckpoints();
    }

    /// <summary>In the middle, where rows are.</summary>
    private static void FlipByte(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.Position = file.Length / 2;
        int old = file.ReadByte();
        file.Position--;
        file.WriteByte((byte)(old ^ 0x20));
    }

    private static void Copy(ICheckpoint checkpoint, CheckpointFile file, IStagedStore to, int pieceBytes)
    {
        byte[] piece = new byte[pieceBytes];
        if (file.Length == 0) to.Write(file, 0, default);
        for (long offset = 0; offset < file.Length;)
        {
            int read = checkpoint.Read(file, offset, piece);
            to.Write(file, offset, piece.AsSpan(0, read));
            offset += read;
        }
    }
}
