// The real engine on a virtual clock, with simulated workers and a memory in place of the store.

public import Dispatcher
public import EventLoop
public import Model
import TestSupport
public import WorkerPool

/// An engine and everything around it.
public final class EngineRig {
    public let time: VirtualTime
    public let host: Host
    public let workers: SimulatedWorkers
    public private(set) var engine: Engine!
    /// Records of executions, in the order they were kept.
    public private(set) var records: [ExecutionRecord] = []
    public private(set) var logs: [LogLine] = []
    private var stored: [ExecutionID: PromisedExecution] = [:]
    /// What the store says to the next promise; nil: it takes it.
    public var storeProblem: Problem?
    /// How long the store takes to commit.
    public var commitTime = Duration.milliseconds(1)
    /// Every caller that was made, in order.
    public private(set) var callers: [Caller] = []

    /// - Parameters:
    ///   - cores: bounds how many workers start at once.
    ///   - habits: what workers are like.
    public init(
        _ catalog: Catalog, cores: Int = 8, memoryMax: ByteCount? = nil, seed: UInt64 = 1,
        habits: @escaping (Int, WorkerRequest) -> WorkerHabits = { _, _ in WorkerHabits() }
    ) {
        time = VirtualTime(wall: SampleFunction.epoch)
        host = Host(cores: cores, memoryMax: memoryMax)
        workers = SimulatedWorkers(clock: time.clock, timers: time.timers, habits: habits)
        start(catalog, seed: seed)
    }

    /// Puts a new engine in the place of the one before, as a restart does. The store stays.
    public func start(_ catalog: Catalog, seed: UInt64 = 1) {
        engine = Engine(
            catalog: catalog, clock: time.clock, timers: time.timers, host: host, source: workers.source,
            isolation: .process, random: SplitMix64(seed: seed), recorder: recorder)
    }

    /// Promised executions that are in the store and have not ended there, oldest first.
    public var promised: [PromisedExecution] { stored.values.sorted { $0.id < $1.id } }

    private var recorder: Recorder {
        Recorder(
            append: { [unowned self] in records.append($0) },
            finish: { [unowned self] record in
                records.append(record)
                stored[record.id] = nil
            },
            enqueue: { [unowned self] execution, then in
                let problem = storeProblem
                time.timers.schedule(at: time.clock.monotonic() + commitTime) { [unowned self] in
                    if problem == nil { stored[execution.id] = execution }
                    then(problem)
                }
            },
            log: { [unowned self] in logs.append($0) })
    }

    /// Calls a function with a body that is there at once; nil: the body follows.
    @discardableResult
    public func call(
        _ reference: String = "hello", trigger: Trigger = .http, body: [UInt8]? = [], caller: Caller = Caller()
    ) -> Caller {
        callers.append(caller)
        let version: FunctionVersion
        do throws(Problem) {
            version = try engine.resolve(SampleFunction.reference(reference))
        } catch {
            caller.finish(.problem(error), ExecutionCost())
            return caller
        }
        let call = engine.dispatch(
            version, trigger: trigger, id: engine.makeID(), fields: FieldList(), bodyLength: body?.count,
            to: caller)
        caller.call = call
        if let body { call.append(body.span, isLast: true) }
        return caller
    }

    /// Promises an execution.
    /// - Returns: its id.
    @discardableResult
    public func promise(
        _ name: String = "hello", version: Int = 1, body: [UInt8] = [], then: @escaping (Problem?) -> Void = { _ in }
    ) -> ExecutionID {
        let execution = promise(name, version: version, body: body, id: engine.makeID())
        engine.enqueue(execution, then: then)
        return execution.id
    }

    /// An execution that could be promised.
    public func promise(_ name: String, version: Int, body: [UInt8], id: ExecutionID) -> PromisedExecution {
        PromisedExecution(
            id: id, version: VersionKey(name: SampleFunction.name(name), number: SampleFunction.number(version)),
            trigger: .async, payload: DurablePayload(fields: FieldList(), body: body).encoded,
            createdAt: time.clock.wall())
    }

    /// Lets time pass.
    public func advance(_ duration: Duration = .zero) { time.advance(by: duration) }

    /// The pool of a version; nil when there is none.
    public func status(_ reference: String = "hello:1") -> PoolStatus? {
        engine.poolStatuses.first { $0.version.description == reference }
    }
}
