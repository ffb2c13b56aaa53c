// The server's side of the launcher: turns orders into messages and events into callbacks. It never waits: a message
// that the socket has no room for is queued. What the launcher does with an order is in Sources/CLauncher.

internal import CLauncher
internal import EventLoop
internal import Glibc
public import Model

/// Starts workers and tells when they end. On the loop's thread.
public final class Launcher {
    /// What is known of a worker between its order and its end.
    private struct Record {
        let started: WorkerSource.Started
        let exited: WorkerSource.Exited
        let channel: Int32
        let output: Int32
        /// Which listeners come with the news of its start.
        let hasProxy: Bool
        let hasRuntimeAPI: Bool
        /// From then on its descriptors belong to the ``WorkerProcess``.
        var hasStarted = false
    }

    private struct Message {
        let request: taibai_request
        /// Handed on and then closed.
        let descriptors: [Int32]
    }

    private let loop: Loop
    private let process: LauncherProcess
    private var watch: DescriptorWatch?
    private var records: [WorkerID: Record] = [:]
    private var queue: [Message] = []
    private var isClosed = false

    /// Called with a sentence for the operator: a zygote that ended by itself, a request the launcher refused.
    public var onTrouble: ((String) -> Void)?
    /// The launcher has ended without being told to. All its workers are dead and have been reported so; every further
    /// start fails.
    public var onEnd: (() -> Void)?

    init(process: LauncherProcess, loop: Loop) throws(LoopError) {
        self.process = process
        self.loop = loop
        watch = try DescriptorWatch(loop: loop, descriptor: process.socket) { [unowned self] in receive() }
    }

    /// What this launcher can give, as it has found out by trying.
    public var abilities: LauncherAbilities { process.abilities }

    /// The port on the worker's own loopback at which its egress proxy answers.
    public static var proxyPort: Int { TAIBAI_PROXY_PORT }

    /// The port on the worker's own loopback at which AWS Lambda's Runtime API answers.
    public static var runtimeAPIPort: Int { TAIBAI_RUNTIME_API_PORT }

    /// Where a worker of level `guarded` keeps files of a while; nobody else may look in there.
    public func scratchFolder(of worker: WorkerID) -> String { "/tmp/taibai-\(process.pid)/\(worker)" }

    /// Workers that were ordered and have not ended.
    public var workerCount: Int { records.count }

    /// Itself, as the pool sees it.
    public var source: WorkerSource {
        WorkerSource { [self] order, started, exited in start(order, started: started, exited: exited) }
    }

    // Zygotes

    /// Starts the runtime's zygote, if it has one and it is not there: so the first worker need not wait for it.
    public func prepare(_ runtime: RuntimeName) { sendAboutZygote(TAIBAI_START_ZYGOTE, of: runtime) }

    /// Ends the runtime's zygote to free its memory. Its workers live on; the next order starts it again.
    public func release(_ runtime: RuntimeName) { sendAboutZygote(TAIBAI_STOP_ZYGOTE, of: runtime) }

    private func sendAboutZygote(_ kind: Int, of runtime: RuntimeName) {
        var request = taibai_request()
        request.kind = UInt32(kind)
        request.runtime = runtime.number
        send(Message(request: request, descriptors: []))
    }

    // Workers

    /// Starts a worker. Calls `started` once, never before returning; after success also `exited` once.
    /// - Parameter secrets: names and values that it finds as files; only at level `sealed`.
    /// - Precondition: no worker with this number was ordered before.
    public func start(
        _ order: WorkerOrder, secrets: [(name: SecretName, value: SecretValue)] = [],
        started: @escaping WorkerSource.Started, exited: @escaping WorkerSource.Exited
    ) {
        var descriptors: [Int32] = []
        if !secrets.isEmpty {
            let file = Self.memoryFile(of: secrets)
            guard file >= 0 else {
                return loop.atTurnEnd { started(.failure(LaunchError(step: .secrets, errno: -file))) }
            }
            descriptors = [file]
        }
        start(order.worker, order.request, descriptors, started: started, exited: exited)
    }

    /// Starts the unpacker, a process shut in like a worker, which takes an archive apart. Its channel says how that
    /// went; see Sources/Server. Otherwise as ``start(_:secrets:started:exited:)``.
    /// - Parameters:
    ///   - archive: open for reading at its beginning; belongs to the caller, who may close it when this returns.
    ///   - folder: where to unpack; likewise.
    public func unpack(
        _ order: UnpackOrder, archive: Int32, folder: Int32, started: @escaping WorkerSource.Started,
        exited: @escaping WorkerSource.Exited
    ) {
        start(order.worker, order.request, [dup(archive), dup(folder)], started: started, exited: exited)
    }

    /// `descriptors`: what goes with the channel and the output; closed here.
    private func start(
        _ worker: WorkerID, _ request: taibai_request, _ descriptors: [Int32],
        started: @escaping WorkerSource.Started, exited: @escaping WorkerSource.Exited
    ) {
        precondition(records[worker] == nil, "worker \(worker) ordered twice")
        var channel: [Int32] = [-1, -1]
        var output: [Int32] = [-1, -1]
        var error = isClosed ? ESHUTDOWN : taibai_channel(&channel)
        if error == 0 {
            error = taibai_output_pipe(&output)
            if error != 0 { channel.forEach { Glibc.close($0) } }
        }
        guard error == 0 else {
            descriptors.forEach { Glibc.close($0) }
            let failure = LaunchError(step: isClosed ? .launcherReady : .descriptors, errno: error)
            return loop.atTurnEnd { started(.failure(failure)) }
        }
        records[worker] = Record(
            started: started, exited: exited, channel: channel[0], output: output[0],
            hasProxy: request.egress == EgressKind.proxy.rawValue, hasRuntimeAPI: request.runtime_api == 1)
        send(Message(request: request, descriptors: [channel[1], output[1]] + descriptors))
    }

    /// The layout is told by launcher.h.
    private static func memoryFile(of secrets: [(name: SecretName, value: SecretValue)]) -> Int32 {
        let length = secrets.reduce(0) { $0 + Int(TAIBAI_SECRET_HEADER) + $1.name.text.utf8.count + $1.value.count }
        var bytes: [UInt8] = []
        // Once, so that no copy of a value is left where the array was before.
        bytes.reserveCapacity(length)
        for (name, value) in secrets {
            for count in [UInt32(name.text.utf8.count), UInt32(value.count)] {
                withUnsafeBytes(of: count.littleEndian) { bytes += $0 }
            }
            bytes += name.text.utf8
            value.withBytes { bytes += $0 }
        }
        defer { bytes.withUnsafeMutableBytes { explicit_bzero($0.baseAddress!, $0.count) } }
        return taibai_memory_file("taibai-secrets", bytes, bytes.count)
    }

    private func act(_ action: WorkerProcess.Action, on worker: WorkerID) {
        guard records[worker] != nil else { return }
        var request = taibai_request()
        request.worker = worker.value
        switch action {
        case .signal(let signal):
            request.kind = UInt32(TAIBAI_KILL_WORKER)
            request.signal = signal
        case .freeze: request.kind = UInt32(TAIBAI_FREEZE_WORKER)
        case .thaw: request.kind = UInt32(TAIBAI_THAW_WORKER)
        }
        send(Message(request: request, descriptors: []))
    }

    // Sending

    private func send(_ message: Message) {
        guard !isClosed else { return discard(message) }
        queue.append(message)
        if queue.count == 1 { flush() }
    }

    private func flush() {
        var done = 0
        for message in queue {
            var request = message.request
            let error = taibai_send(
                process.socket, &request, MemoryLayout<taibai_request>.size, message.descriptors,
                Int32(message.descriptors.count))
            if error == EAGAIN { break }
            done += 1
            discard(message)
            // That the launcher is gone is told by reading its socket.
            if error != 0, error != EPIPE { sendingFailed(message, errno: error) }
        }
        queue.removeFirst(done)
        if !queue.isEmpty { watch?.whenWritable { [unowned self] in flush() } }
    }

    /// The kernel did not take the message, for want of memory or of descriptors in flight.
    private func sendingFailed(_ message: Message, errno: Int32) {
        let error = LaunchError(step: .descriptors, errno: errno)
        if message.request.kind == UInt32(TAIBAI_START_WORKER) {
            let worker = WorkerID(message.request.worker)
            loop.atTurnEnd { [self] in failed(worker, error) }
        } else {
            onTrouble?("a request to the launcher was lost: \(error)")
        }
    }

    private func discard(_ message: Message) {
        message.descriptors.forEach { Glibc.close($0) }
    }

    // Receiving

    private func receive() {
        while !isClosed {
            var event = taibai_event()
            var descriptors = [Int32](repeating: -1, count: Int(TAIBAI_DESCRIPTORS_MAX))
            let error = taibai_receive(process.socket, &event, MemoryLayout<taibai_event>.size, &descriptors)
            if error == EAGAIN { return }
            // A worker's pidfd was lost for want of descriptors here. It can still be reached through the launcher.
            guard error == 0 || error == EMFILE else { return launcherEnded() }
            handle(event, descriptors)
        }
    }

    private func handle(_ event: taibai_event, _ descriptors: [Int32]) {
        let worker = event.worker >= 1 && event.worker < 1 << 63 ? WorkerID(event.worker) : nil
        switch Int(event.kind) {
        case TAIBAI_STARTED: worker.map { started($0, pid: event.pid, descriptors) }
        case TAIBAI_FAILED: worker.map { failed($0, LaunchError(event)) }
        case TAIBAI_EXITED: worker.map { exited($0, ExitReport(event)) }
        case TAIBAI_ZYGOTE_UP: break
        case TAIBAI_ZYGOTE_DOWN: zygoteEnded(event)
        default: onTrouble?("the launcher refused a request: \(LaunchError(event))")
        }
    }

    /// `descriptors`: the pidfd, then the listeners that were ordered; -1 where there is none.
    private func started(_ worker: WorkerID, pid: Int32, _ descriptors: [Int32]) {
        guard let record = records[worker] else {
            for descriptor in descriptors where descriptor >= 0 { Glibc.close(descriptor) }
            return
        }
        records[worker]?.hasStarted = true
        let listener = { (index: Int) in descriptors[index] >= 0 ? descriptors[index] : nil }
        let process = WorkerProcess(
            id: worker, pid: pid, pidfd: descriptors[0], channel: record.channel, output: record.output,
            proxyListener: record.hasProxy ? listener(1) : nil,
            runtimeAPIListener: record.hasRuntimeAPI ? listener(record.hasProxy ? 2 : 1) : nil
        ) { [weak self] action in self?.act(action, on: worker) }
        record.started(.success(process))
    }

    private func failed(_ worker: WorkerID, _ error: LaunchError) {
        guard let record = records.removeValue(forKey: worker) else { return }
        Glibc.close(record.channel)
        Glibc.close(record.output)
        record.started(.failure(error))
    }

    private func exited(_ worker: WorkerID, _ report: ExitReport) {
        records.removeValue(forKey: worker)?.exited(report)
    }

    private func zygoteEnded(_ event: taibai_event) {
        guard event.step != UInt32(TAIBAI_STEP_NONE) else { return }
        let runtime = RuntimeName(number: event.runtime)?.rawValue ?? "runtime \(event.runtime)"
        let what = event.error == 0 ? "has ended: \(ExitReport(event))" : "can't be started: \(LaunchError(event))"
        onTrouble?("the zygote of \(runtime) \(what)")
    }

    // The end

    private func launcherEnded() {
        shutDown()
        let left = records.sorted { $0.key < $1.key }
        records = [:]
        for (_, record) in left {
            if record.hasStarted {
                record.exited(ExitReport(ending: .unseen))
            } else {
                Glibc.close(record.channel)
                Glibc.close(record.output)
                record.started(.failure(LaunchError(step: .launcherReady, errno: EPIPE)))
            }
        }
        onEnd?()
    }

    /// Ends the launcher, which kills every worker first. No callback is called afterwards. Idempotent.
    public func close() {
        guard !isClosed else { return }
        shutDown()
        for record in records.values where !record.hasStarted {
            Glibc.close(record.channel)
            Glibc.close(record.output)
        }
        records = [:]
    }

    private func shutDown() {
        isClosed = true
        watch?.close()
        watch = nil
        queue.forEach(discard)
        queue = []
        Glibc.close(process.socket)
    }
}
