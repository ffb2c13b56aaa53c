// Binds the scheduler to the store behind it and the engine before it.

internal import Dispatcher
internal import EventLoop
internal import Logging
internal import Model
internal import Scheduler
internal import Store
internal import WorkerPool

enum Scheduling {
    static func make(store: Store, engine: Engine, loop: Loop, log: Logger) -> JobScheduler {
        JobScheduler(
            ledger: ledger(store, engine), functions: functions(engine), timers: loop.timers, clock: loop.clock
        ) {
            switch $0 {
            case .loaded: log.info("scheduler", metadata: ["what": "\($0)"])
            case .ledgerFailed, .clockStepped, .functionMissing: log.warning("scheduler", metadata: ["what": "\($0)"])
            }
        }
    }

    private static func ledger(_ store: Store, _ engine: Engine) -> JobLedger {
        JobLedger(
            load: { then in store.jobs { then($0.mapError(\.problem)) } },
            create: { job, then in store.createJob(job) { then($0.problem) } },
            update: { job, then in store.updateJob(job) { then($0.problem) } },
            delete: { id, then in store.deleteJob(id) { then($0.problem) } },
            fire: { ticks, executions, cursors, then in
                store.fire(
                    ticks: ticks, executions: executions.map { QueuedExecution($0.promised(by: engine)) },
                    cursors: cursors.map { JobCursor(job: $0.job, cursor: $0.cursor, isDone: $0.isDone) }
                ) { then($0.mapError(\.problem)) }
            })
    }

    private static func functions(_ engine: Engine) -> JobFunctions {
        JobFunctions(
            resolve: { reference in
                Result { () throws(Problem) in try engine.catalog.resolve(reference).key }
            },
            dispatch: { engine.run($0.promised(by: engine)) },
            warm: { reference, _ in engine.prewarm(reference) },
            coldStart: { engine.coldStart(of: $0) ?? .zero },
            makeID: { engine.makeID() })
    }
}

extension DueExecution {
    /// The same as the engine and the store keep it.
    fileprivate func promised(by engine: Engine) -> PromisedExecution {
        var list = FieldList()
        list.append(name: ":method", value: "POST".utf8)
        list.append(name: ":path", value: "/".utf8)
        list.append(name: "content-type", value: "application/json".utf8)
        for field in fields { list.append(name: Array(field.name.utf8), value: field.value.utf8) }
        return PromisedExecution(
            id: id, version: version, trigger: trigger, payload: DurablePayload(fields: list, body: body).encoded,
            createdAt: createdAt, terms: engine.terms(of: version, for: trigger))
    }
}

extension Result where Success == Void, Failure == StoreError {
    fileprivate var problem: Problem? {
        switch self {
        case .success: nil
        case .failure(let error): error.problem
        }
    }
}
