// Binds the engine's promises to the store behind it.

internal import Dispatcher
internal import Logging
internal import Model
internal import Store

enum Promising {
    static func recorder(_ store: Store, _ log: Logger) -> Recorder {
        Recorder(
            append: { store.append($0) }, promises: ledger(store, log), log: { store.append(logs: [$0]) })
    }

    /// Tells of the first of many failures and of their end: a full disk shall not fill the log too.
    private final class Trouble {
        private let log: Logger
        private let what: String
        private var failures = 0

        init(_ what: String, _ log: Logger) {
            self.what = what
            self.log = log
        }

        func note(_ error: StoreError?) {
            guard let error else {
                if failures > 0 { log.info("\(what) again", metadata: ["failures": "\(failures)"]) }
                failures = 0
                return
            }
            failures += 1
            if failures == 1 { log.error("not \(what)", metadata: ["reason": "\(error)"]) }
        }
    }

    private static func ledger(_ store: Store, _ log: Logger) -> PromiseLedger {
        let ends = Trouble("keeping ends of executions", log)
        let pages = Trouble("reading waiting executions", log)
        return PromiseLedger(
            enqueue: { execution, key, then in
                let key = key.map { IdempotencyKey(text: $0.text, request: $0.request) }
                store.promise(QueuedExecution(execution), key: key) { then($0.mapError(\.problem)) }
            },
            began: { marks in
                store.began(marks.map { BeginMark(id: $0.id, attempts: $0.attempts) }) { result in
                    guard case .failure(let error) = result else { return }
                    log.warning("runs not noted", metadata: ["count": "\(marks.count)", "reason": "\(error)"])
                }
            },
            settle: { settlement, then in
                store.settle(PromiseSettlement(settlement)) { result in
                    ends.note(result.failure)
                    then(result.mapError(\.problem))
                }
            },
            take: { function, after, fresh, due, now, then in
                let demand = PromiseDemand(function: function, after: after, fresh: fresh, due: due, now: now)
                store.take(demand) { result in
                    pages.note(result.failure)
                    then(result.map { LedgerPage($0) }.mapError(\.problem))
                }
            },
            waiting: { then in
                store.waitingFunctions { result in
                    then(
                        result.map { lines in
                            lines.map { LedgerLine(function: $0.function, count: $0.count, nextDue: $0.nextDue) }
                        }.mapError(\.problem))
                }
            },
            cancel: { id, now, problem, then in
                store.cancel(id, at: now, because: problem) { result in
                    then(
                        result.map { answer in
                            switch answer {
                            case .cancelled(let record): (record, hadEnded: false)
                            case .ended(let record): (record, hadEnded: true)
                            }
                        }.mapError(\.problem))
                }
            },
            redrive: { id, now, then in
                store.redrive(id, at: now) { then($0.map { PromisedExecution($0) }.mapError(\.problem)) }
            })
    }
}

extension QueuedExecution {
    init(_ execution: PromisedExecution) {
        self.init(
            id: execution.id, function: execution.version.name, version: execution.version.number,
            trigger: execution.trigger, payload: execution.payload, createdAt: execution.createdAt,
            terms: execution.terms, standing: execution.standing, dueAt: execution.dueAt)
    }
}

extension PromisedExecution {
    init(_ execution: QueuedExecution) {
        self.init(
            id: execution.id, version: VersionKey(name: execution.function, number: execution.version),
            trigger: execution.trigger, payload: execution.payload, createdAt: execution.createdAt,
            terms: execution.terms, standing: execution.standing, dueAt: execution.dueAt)
    }
}

extension PromiseSettlement {
    fileprivate init(_ settlement: Settlement) {
        self.init(
            record: settlement.record, standing: settlement.standing, dueAt: settlement.record.dueAt,
            result: settlement.result.map { StoredResult(fields: $0.fields, body: $0.body) },
            keptUntil: settlement.keptUntil, followUps: settlement.followUps.map { QueuedExecution($0) })
    }
}

extension LedgerPage {
    fileprivate init(_ page: PromisePage) {
        self.init(
            fresh: page.fresh.map { PromisedExecution($0) }, due: page.due.map { PromisedExecution($0) },
            last: page.last, hasMoreFresh: page.hasMoreFresh, hasMoreDue: page.hasMoreDue, nextDue: page.nextDue)
    }
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}
