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
    /// What the store holds of promised executions.
    public let book: PromiseBook
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
        book = PromiseBook(time)
        host = Host(cores: cores, memoryMax: memoryMax)
        workers = SimulatedWorkers(clock: time.clock, timers: time.timers, habits: habits)
        book.onSettled = { [unowned self] in records.append($0.record) }
        start(catalog, seed: seed)
    }

    /// Puts a new engine in the place of the one before, as a restart does. The store stays.
    public func start(_ catalog: Catalog, seed: UInt64 = 1) {
        engine = Engine(
            catalog: catalog, clock: time.clock, timers: time.timers, host: host, source: workers.source,
            isolation: .process, random: SplitMix64(seed: seed), recorder: recorder)
    }

    /// Promised executions that are in the store and have not ended there, oldest first.
    public var promised: [PromisedExecution] { book.promised }

    /// Records of promised executions that have ended for good.
    public var ends: [ExecutionRecord] { records.filter { $0.trigger.isPromised && $0.status.isFinal } }

    private var recorder: Recorder {
        Recorder(
            append: { [unowned self] in records.append($0) }, promises: book.ledger,
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

    /// Promises an execution; unless said otherwise one that is not tried again.
    /// - Returns: its id.
    @discardableResult
    public func promise(
        _ name: String = "hello", version: Int = 1, body: [UInt8] = [], terms: PromiseTerms = EngineRig.once,
        key: RequestKey? = nil, then: @escaping (Problem?) -> Void = { _ in }
    ) -> ExecutionID {
        let execution = promise(name, version: version, body: body, id: engine.makeID(), terms: terms)
        engine.enqueue(execution, key: key) { result in
            switch result {
            case .success: then(nil)
            case .failure(let problem): then(problem)
            }
        }
        return execution.id
    }

    /// One attempt.
    public static let once = PromiseTerms(retry: RetryPolicy(retries: 0))

    /// An execution that could be promised.
    public func promise(
        _ name: String, version: Int, body: [UInt8], id: ExecutionID, terms: PromiseTerms = EngineRig.once
    ) -> PromisedExecution {
        PromisedExecution(
            id: id, version: VersionKey(name: SampleFunction.name(name), number: SampleFunction.number(version)),
            trigger: .async, payload: DurablePayload(fields: FieldList(), body: body).encoded,
            createdAt: time.clock.wall(), terms: terms, dueAt: terms.startsAt)
    }

    /// Lets time pass.
    public func advance(_ duration: Duration = .zero) { time.advance(by: duration) }

    /// The pool of a version; nil when there is none.
    public func status(_ reference: String = "hello:1") -> PoolStatus? {
        engine.poolStatuses.first { $0.version.description == reference }
    }
}
