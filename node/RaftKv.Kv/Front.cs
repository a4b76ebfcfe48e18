using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using RaftKv.Contracts;
using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>Who this node is to its clients and peers.</summary>
/// <param name="BootId">Random, made at each start of the process.</param>
public sealed record FrontOptions(string NodeName, ulong BootId)
{
    /// <summary>Calls under way at once; more are refused (backpressure).</summary>
    public int MaxCalls { get; init; } = 65_536;

    /// <summary>Bytes of the requests under way together; more are refused. Whoever waits for a leader waits with its value in memory.</summary>
    public long MaxCallBytes { get; init; } = 256 * Limits.Mebi;

    /// <summary>
    /// After so long without an answer, in µs, a read or a write with an idempotency key is tried again. Who kept silent may only be slow, and each attempt adds to its load: when
    /// it is asked once more, it is given twice as long, and so on. Any other forwarded write is called unknown if another node leads by then.
    /// </summary>
    public long RetryMicros { get; init; } = 500_000;

    /// <summary>After so long without a leader, in µs, a node that has a replica of the shard asks other nodes too.</summary>
    public long LeaderlessMicros { get; init; } = 1_000_000;
}

/// <summary>
/// Routes requests: to the group if its leader is here, else over the link to the node that leads it; a read also to a follower here that keeps up. Tries again what is
/// safe to try again until the deadline, and says of everything else exactly what is known (design §3.3, §3.4).
/// </summary>
/// <remarks>
/// A read, and a write with an idempotency key, is tried again whenever an attempt comes to nothing. Any other write is tried again
/// only after a definite "not applied"; once an attempt may have appended it, only that attempt's answer ends the call, or the deadline,
/// or that the node it was forwarded to leads no more and keeps silent: then it has most likely died, and its answer with it.
/// <code>
/// forward frame: format u8 (1) | origin boot u64 | addressee boot u64 | number u64 | hops u8 | remaining µs u64 | group u64 | epoch version u64 | request (block)
/// answer frame:  format u8 (1) | origin boot u64 | number u64 | response (<see cref="KvResponse"/>)
/// </code>
/// Runs on the STEP thread, except that attempts complete on the APPLY thread.
/// </remarks>
public sealed class Front : IFront
{
    private const byte FrameFormat = 1;

    /// <summary>Of a forward frame: through its number.</summary>
    private const int ForwardHeadBytes = 25;
    private const byte MaxHops = 3;

    private readonly FrontOptions _options;
    private readonly ShardMap _map;
    private readonly GroupWorker _worker;
    private readonly IPeerLinks _links;
    private readonly NodeId[] _others;
    private readonly List<KvCall> _active = [];
    private readonly Dictionary<ulong, KvCall> _forwarded = [];
    private readonly Dictionary<NodeId, (ulong BootId, NumberWindow Window)> _origins = [];
    private readonly Dictionary<GroupId, NodeId> _leaderHints = [];
    private readonly HashSet<NodeId> _unreachable = [];
    private DiskSpace _space = DiskSpace.Plenty;
    private long _activeBytes;
    private ulong _nextNumber;
    private uint _nextProbe;

    public Front(FrontOptions options, ShardMap map, GroupWorker worker, IPeerLinks links)
    {
        _options = options;
        _map = map;
        _worker = worker;
        _links = links;
        _others = [.. links.Nodes.Order()];
    }

    public string NodeName => _options.NodeName;

    /// <inheritdoc/>
    public bool HasCalls => _active.Count > 0;

    /// <inheritdoc/>
    public void OnPosted(long now, object work)
    {
        switch (work)
        {
            case KvCall call:
                if (_active.Count >= _options.MaxCalls)
                {
                    call.TryComplete(Fail(ErrorCode.Overloaded, $"{_active.Count} requests are under way, the limit is {_options.MaxCalls}").Over(_options.MaxCalls, _active.Count));
                    return;
                }

                if (_activeBytes + call.Request.Length > _options.MaxCallBytes)
                {
                    call.TryComplete(Fail(ErrorCode.Overloaded, $"requests of {_activeBytes} bytes are under way, the limit is {_options.MaxCallBytes}").Over(_options.MaxCallBytes, _activeBytes));
                    return;
                }

                call.PostedAt = now;
                _activeBytes += call.Request.Length;
                call.Group = new GroupId(_map.ByHash(call.Hash).Id);
                _active.Add(call);
                Route(now, call);
                break;
            case Retry retry:
                // A later attempt under way decides for itself.
                if (retry.Call.ForwardNumber == 0) Route(now, retry.Call);
                break;
            case Completion completion:
                completion.Call.TryComplete(completion.Response);
                break;
            case DiskSpace space:
                _space = space;
                break;
            case Action<long> action:
                action(now);
                break;
        }
    }

    /// <inheritdoc/>
    public void OnPeerFrame(long now, NodeId from, FrameKind kind, ReadOnlyMemory<byte> body)
    {
        ByteReader reader = new(body);
        byte format = reader.U8();
        if (format != FrameFormat) throw new MalformedException($"frame format {format}, this build knows {FrameFormat}");
        switch (kind)
        {
            case FrameKind.Forward: OnForward(now, from, ref reader); break;
            case FrameKind.Answer: OnAnswer(now, from, ref reader); break;
            default: throw new MalformedException($"frame kind {(byte)kind}");
        }
    }

    /// <inheritdoc/>
    public void OnLeaderKnown(long now, GroupId group)
    {
        foreach (KvCall call in _active)
        {
            if (call.Group != group) continue;
            call.ForgetSilence(_options.RetryMicros); // Whoever leads now is not the one that was slow.
            if (call.IsParked) Route(now, call);
        }
    }

    /// <inheritdoc/>
    public void OnTick(long now)
    {
        _unreachable.Clear();
        foreach (KvCall call in _active)
        {
            if (call.IsCompleted) continue;
            if (now >= call.DeadlineMicros) Expire(call);
            else if (call.IsParked) Route(now, call);
            else if (now - call.AttemptedAt >= call.RetryAfterMicros) OnSilence(now, call);
        }

        _active.RemoveAll(call =>
        {
            if (!call.IsCompleted) return false;
            ForgetForward(call);
            _activeBytes -= call.Request.Length;
            return true;
        });
    }

    /// <summary>Who leads a group of which this node holds no replica, as far as forwarded requests have shown. On the STEP thread only.</summary>
    public NodeId? LeaderHintOf(GroupId group) => _leaderHints.TryGetValue(group, out NodeId hint) ? hint : null;

    /// <summary>From any thread: the attempt of a write ended with proof that it was not applied.</summary>
    internal void PostRetry(KvCall call) => _worker.PostCompletion(new Retry(call));

    /// <summary>From any thread: completes a call on the STEP thread, which alone knows of its other attempts.</summary>
    internal void PostCompletion(KvCall call, KvResponse response) => _worker.PostCompletion(new Completion(call, response));

    /// <summary>Tries again at the next tick, when more may be known.</summary>
    internal static void Park(KvCall call) => call.IsParked = true;

    internal void SendToPeer(NodeId node, ReadOnlySpan<byte> frame) => _worker.SendToPeer(node, frame);

    /// <summary>No answer for long. The node asked may be dead, which shows no other way: whoever asks next asks another.</summary>
    private void OnSilence(long now, KvCall call)
    {
        ForgetHint(call);
        bool mayRepeat = call.IsRepeatable;
#if MUTANTS
        mayRepeat |= Mutants.On(Mutant.UnkeyedWriteRepeated);
#endif
        if (mayRepeat) Repeat(now, call);
        else if (call.ForwardNumber != 0 && IsLedElsewhere(call)) GiveUp(call);
    }

    /// <summary>Once for each time that a call was forwarded, so that a call which waits on does not undo what others learn.</summary>
    private void ForgetHint(KvCall call)
    {
        if (call.ForwardNumber == 0 || call.IsHintForgotten) return;
        call.IsHintForgotten = true;
        if (_leaderHints.TryGetValue(call.Group, out NodeId hint) && hint == call.ForwardedTo) _leaderHints.Remove(call.Group);
    }

    /// <summary>Begins another attempt while the last one may still be under way somewhere.</summary>
    private void Repeat(long now, KvCall call)
    {
        // The leader here has it in its log, or APPLY here a stale read in its queue: asking again would add nothing but load.
        if (call.ForwardNumber == 0 && _worker.Find(call.Group) is { } here && (here.Role == Role.Leader || call.IsStaleRead)) return;
        call.WasUnknown |= call.MayBeAppended;
        call.OnSilence(call.ForwardNumber == 0 ? default : call.ForwardedTo, _options.RetryMicros);
        Route(now, call);
    }

    private void Route(long now, KvCall call)
    {
        if (call.IsCompleted) return;
        call.IsParked = false;
        call.MayBeAppended = false;
        call.AttemptedAt = now;
        call.RetryAfterMicros = call.PatienceWith(default, _options.RetryMicros);
        ForgetForward(call);

        RaftGroup? local = _worker.Find(call.Group);
        if (call.IsStaleRead && HasState(local)) _worker.ReadAsIs(now, call.Group, new LocalAttempt(this, call) { AgeMicros = _worker.AgeMicros(now, call.Group) });
        else if (local is { Role: Role.Leader }) TryHere(now, call);
        else if (MayReadHere(now, call, local) && _worker.TryRead(now, call.Group, new LocalAttempt(this, call))) call.WasReadHere = true;
        else if (NodeToAsk(now, call, local) is { } node && !_unreachable.Contains(node) && _links.BootIdOf(node) is var boot and not 0) Forward(now, call, node, boot);
        else Park(call);
    }

    /// <summary>Nobody waits any more for the answer of a forwarded attempt.</summary>
    private void ForgetForward(KvCall call)
    {
        if (call.ForwardNumber == 0) return;
        _forwarded.Remove(call.ForwardNumber);
        call.ForwardNumber = 0;
    }

    private void TryHere(long now, KvCall call)
    {
        LocalAttempt attempt = new(this, call);
        if (call.IsTransfer)
        {
            call.MayBeAppended = true;
            Transfer(now, call.Group, call.Request, attempt);
            return;
        }

        if (!call.IsWrite)
        {
            if (!_worker.TryRead(now, call.Group, attempt, call.IsLeaseRead)) Park(call);
            return;
        }

        if (!HasRoomFor(call.Request))
        {
            call.TryComplete(KvResponse.OutOfSpace(_space, NodeName, call.Group));
            return;
        }

        switch (_worker.Propose(now, call.Group, featureLevel: 0, call.Request, attempt).Status)
        {
            case ProposeStatus.Appended: call.MayBeAppended = true; break;
            case ProposeStatus.Busy: call.TryComplete(Fail(ErrorCode.Overloaded, "the leader has too much waiting to be committed", call.Group)); break;
            default: Park(call); break;
        }
    }

    /// <summary>Asked before a write is appended, also for another node's client: the leader's node is where it would first need room.</summary>
    private bool HasRoomFor(ReadOnlyMemory<byte> write)
    {
#if MUTANTS
        if (Mutants.On(Mutant.FullDiskTakesPuts)) return true;
#endif
        return _space.TakesPuts || !KvRequest.HasPut(write);
    }

    /// <summary>Of a group that this node leads.</summary>
    private void Transfer(long now, GroupId group, ReadOnlyMemory<byte> request, Attempt attempt)
    {
        NodeId to = new(BinaryPrimitives.ReadUInt64LittleEndian(KvRequest.Decode(request).Value.Span));
        bool leads = _worker.TryTransfer(now, group, to, attempt);
        Invariant.Holds(leads, $"{group} is not led here");
    }

    /// <param name="isLong">The call has waited for long: a replica here that still knows no leader may have been removed and not heard of it.</param>
    private NodeId? LeaderNodeOf(GroupId group, RaftGroup? local, bool isLong)
    {
        if (_worker.LeaderNodeOf(group) is { } known) return known;
        if (local is not null && !local.Configuration.Members.IsEmpty && !isLong) return null;
        return _leaderHints.TryGetValue(group, out NodeId hint) && _links.BootIdOf(hint) != 0 ? hint : AnyOtherNode();
    }

    private NodeId? NodeToAsk(long now, KvCall call, RaftGroup? local) =>
        call.IsStaleRead ? AnyOtherNode() : LeaderNodeOf(call.Group, local, now - call.PostedAt >= _options.LeaderlessMicros);

    /// <summary>
    /// A follower serves reads itself, at an index that its leader vouches for, if it keeps up with that leader: what it knows to be all there was must not be old. Leases are the
    /// leader's.
    /// </summary>
    private bool MayReadHere(long now, KvCall call, RaftGroup? local) =>
        !call.IsWrite && !call.IsTransfer && !call.IsLeaseRead && !call.WasReadHere && HasState(local) && _worker.AgeMicros(now, call.Group) < _options.RetryMicros;

    /// <summary>A replica that was just made has nothing to read from.</summary>
    private static bool HasState([NotNullWhen(true)] RaftGroup? group) => group is not null && group.Applied > LogIndex.Zero;

    /// <summary>The next node that was ever reached: it may know more. The map says who the members were once; they may all have moved.</summary>
    private NodeId? AnyOtherNode()
    {
        for (int i = 0; i < _others.Length; i++)
        {
            NodeId node = _others[(int)(_nextProbe++ % (uint)_others.Length)];
            if (_links.BootIdOf(node) != 0) return node;
        }

        return null;
    }

    private void Forward(long now, KvCall call, NodeId node, ulong addresseeBoot)
    {
        ulong number = ++_nextNumber;
        call.ForwardNumber = number;
        call.ForwardedTo = node;
        call.RetryAfterMicros = call.PatienceWith(node, _options.RetryMicros);
        call.IsHintForgotten = false;
        call.MayBeAppended = call.IsWrite || call.IsTransfer;
        _forwarded.Add(number, call);
        ByteWriter frame = new(96 + call.Request.Length);
        PeerFrame.Begin(frame, FrameKind.Forward);
        frame.U8(FrameFormat);
        frame.U64(_options.BootId);
        frame.U64(addresseeBoot);
        frame.U64(number);
        frame.U8(1);
        frame.U64((ulong)Math.Max(0, call.DeadlineMicros - now));
        frame.U64(call.Group.Value);
        frame.U64(_map.ById(call.Group.Value)!.Epoch.Version);
        frame.Block(call.Request);
        PeerFrame.Finish(frame);
        SendStatus status = _links.Send(node, frame.Written);
        if (status != SendStatus.Queued) OnNotSent(call, node, status);
    }

    /// <summary>It will never arrive, so nothing was appended. Without a connection another node may lead before the deadline; until the next tick nobody else tries this one.</summary>
    private void OnNotSent(KvCall call, NodeId node, SendStatus status)
    {
        call.MayBeAppended = false;
        ForgetForward(call);
        if (status == SendStatus.Full)
        {
            call.TryComplete(Fail(ErrorCode.Overloaded, "too much waits to be sent to the shard's leader", call.Group));
            return;
        }

        _unreachable.Add(node);
        if (_leaderHints.TryGetValue(call.Group, out NodeId hint) && hint == node) _leaderHints.Remove(call.Group);
        Park(call);
    }

    private void OnForward(long now, NodeId from, ref ByteReader reader)
    {
        ulong originBoot = reader.U64();
        ulong addresseeBoot = reader.U64();
        ulong number = reader.U64();
        byte hops = reader.U8();
        ulong remaining = reader.U64();
        GroupId group = new(reader.U64());
        reader.U64();
        ReadOnlyMemory<byte> bytes = reader.Block();
        reader.ExpectEnd();
        KvRequest request = KvRequest.DecodeWhole(bytes);
        if (request.Operation == KvOperation.Expire) throw new MalformedException("an expire from another node: only leaders propose it");
        if (number == 0 || hops > MaxHops) throw new MalformedException($"forwarded request {number} after {hops} hops");
        // For an earlier life of this process, or from an earlier life of that one: whoever asked has long given up.
        if (addresseeBoot != _options.BootId || originBoot != _links.BootIdOf(from) || remaining == 0) return;
        bool isNew = WindowOf(from, originBoot).TryTake(number);
#if MUTANTS
        if (Mutants.On(Mutant.ForwardedTwiceAppendedTwice)) isNew = true;
#endif
        if (!isNew) return;

        RaftGroup? local = _worker.Find(group);
        bool isStaleRead = request.Consistency == KvConsistency.Stale;
        ForwardedAttempt attempt = new(this, from, originBoot, number, bytes) { AgeMicros = isStaleRead ? _worker.AgeMicros(now, group) : null };
        if (isStaleRead && HasState(local))
        {
            _worker.ReadAsIs(now, group, attempt);
        }
        else if (local is not { Role: Role.Leader })
        {
            // Only what a replica knows is passed on: hearsay would travel in circles.
            NodeId leader = _worker.LeaderNodeOf(group) ?? default;
            attempt.Refuse($"node {NodeName} does not lead shard {group.Value}", leader);
        }
        else if (request.Operation == KvOperation.Transfer)
        {
            Transfer(now, group, bytes, attempt);
        }
        else if (!request.IsWrite)
        {
            _worker.TryRead(now, group, attempt, request.Consistency == KvConsistency.Lease);
        }
        else if (!HasRoomFor(bytes))
        {
            attempt.Answer(KvResponse.OutOfSpace(_space, NodeName, group));
        }
        else
        {
            switch (_worker.Propose(now, group, featureLevel: 0, bytes, attempt).Status)
            {
                case ProposeStatus.Busy: attempt.Complete(ErrorCode.Overloaded, "the leader has too much waiting to be committed"); break;
                // It leads, but not for long.
                case ProposeStatus.NotLeader: attempt.Refuse($"node {NodeName} is handing over shard {group.Value}", _worker.TransferTargetOf(group) ?? default); break;
            }
        }
    }

    /// <inheritdoc/>
    public byte[]? RefusalOf(FrameKind kind, ReadOnlyMemory<byte> body)
    {
        if (kind != FrameKind.Forward || body.Length < ForwardHeadBytes || body.Span[0] != FrameFormat) return null;
        ByteReader reader = new(body);
        reader.U8();
        ulong originBoot = reader.U64();
        reader.U64();
        return AnswerFrame(originBoot, reader.U64(), KvResponse.Fail(ErrorCode.Overloaded, "too much waits for the shard's leader", NodeName)).ToArray();
    }

    /// <summary>The answer to a forwarded request.</summary>
    internal static ByteWriter AnswerFrame(ulong originBoot, ulong number, in KvResponse response)
    {
        ByteWriter frame = new(256 + response.Value.Length);
        PeerFrame.Begin(frame, FrameKind.Answer);
        frame.U8(FrameFormat);
        frame.U64(originBoot);
        frame.U64(number);
        response.Write(frame);
        PeerFrame.Finish(frame);
        return frame;
    }

    private void OnAnswer(long now, NodeId from, ref ByteReader reader)
    {
        ulong originBoot = reader.U64();
        ulong number = reader.U64();
        KvResponse response = KvResponse.Read(ref reader);
        reader.ExpectEnd();
        if (originBoot != _options.BootId || !_forwarded.Remove(number, out KvCall? call)) return;
        call.ForwardNumber = 0;
        if (response.Error == ErrorCode.NoLeader)
        {
            // Definitely not appended there; ask elsewhere, but not in a tight loop.
            call.MayBeAppended = false;
            Park(call);
            if (call.IsStaleRead) return;
            if (response.LeaderHint != default) _leaderHints[call.Group] = response.LeaderHint;
            else _leaderHints.Remove(call.Group);
            // The replica here has heard of another leader while the call was on its way.
            if (_worker.LeaderNodeOf(call.Group) is { } leader && leader != from) Route(now, call);
            return;
        }

        if (call.IsTransfer) _leaderHints.Remove(call.Group); // Whoever led has just given that up.
        else if (!call.IsStaleRead && response.Error != ErrorCode.Overloaded) _leaderHints[call.Group] = from; // It leads, or it would have refused.
        call.TryComplete(response);
    }

    private NumberWindow WindowOf(NodeId origin, ulong bootId)
    {
        if (_origins.TryGetValue(origin, out var known) && known.BootId == bootId) return known.Window;
        NumberWindow window = new();
        _origins[origin] = (bootId, window);
        return window;
    }

    /// <summary>Whether the shard has a leader, as far as is known here, and it is not where the call was forwarded to.</summary>
    private bool IsLedElsewhere(KvCall call) =>
        _worker.LeaderNodeOf(call.Group) is { } leader && leader != call.ForwardedTo;

    private void GiveUp(KvCall call) => call.TryComplete(call.IsTransfer
        ? Fail(ErrorCode.TransferUnknown, "the node that led the shard leads it no more and has not answered", call.Group)
        : Fail(ErrorCode.OutcomeUnknown, "the node it was forwarded to no longer leads the shard and has not answered; it may have appended the write", call.Group));

    private void Expire(KvCall call)
    {
        bool isLed = _worker.LeaderNodeOf(call.Group) is not null || _leaderHints.ContainsKey(call.Group);
        ForgetHint(call);
        bool mayBeApplied = call.MayBeAppended || call.WasUnknown;
#if MUTANTS
        if (Mutants.On(Mutant.DefiniteFailureAfterAppend)) mayBeApplied = false;
#endif
        call.TryComplete(call.IsStaleRead
            ? Fail(ErrorCode.Deadline, "no replica could be reached before the deadline", call.Group)
            : mayBeApplied && call.IsTransfer
            ? Fail(ErrorCode.TransferUnknown, "the leader was asked to hand over and had not answered when the deadline passed", call.Group)
            : mayBeApplied
            ? Fail(ErrorCode.OutcomeUnknown, "the write may have been appended; its outcome was not known when the deadline passed", call.Group)
            : isLed && !call.IsWrite && !call.IsTransfer
            ? Fail(ErrorCode.Deadline, "the shard has a leader, as far as is known here, but had not answered when the deadline passed", call.Group)
            : Fail(ErrorCode.NoLeader, "no leader could be reached before the deadline; nothing was appended", call.Group));
    }

    private KvResponse Fail(ErrorCode error, string detail, GroupId group = default) => KvResponse.Fail(error, detail, NodeName, group);

    private sealed record Retry(KvCall Call);

    private sealed record Completion(KvCall Call, KvResponse Response);
}
