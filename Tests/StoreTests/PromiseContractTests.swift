// The contract of a backend, fourth part: promised executions from their acceptance to their result. Runs on every
// backend there is.

import Model
import Testing

@testable import Store

@Suite struct `Promises in a backend` {
    private static let hello = Sample.name("hello")

    private func take(
        _ rig: BackendRig, _ function: FunctionName = hello, after: Int64 = 0, fresh: Int = 0, due: Int = 0,
        at seconds: Int = 0
    ) throws -> PromisePage {
        try rig.write {
            try $0.take(
                PromiseDemand(
                    function: function, after: after, fresh: fresh, due: due, now: Sample.start + .seconds(seconds)))
        }
    }

    private func promise(_ rig: BackendRig, _ numbers: [Int], _ function: String = "hello") throws {
        for number in numbers {
            try rig.write { try $0.promise(Sample.queued(number, function: function), key: nil) }
        }
    }

    private static func settlement(
        _ number: Int, _ status: ExecutionStatus, attempts: Int = 1, failures: Int = 0, dueAt seconds: Int? = nil,
        result: StoredResult? = nil, followUps: [QueuedExecution] = []
    ) -> PromiseSettlement {
        var record = Sample.record(number, trigger: .async, status: status)
        record.attempts = attempts
        return PromiseSettlement(
            record: record, standing: PromiseStanding(attempts: attempts, failures: failures),
            dueAt: seconds.map { Sample.start + .seconds($0) }, result: result,
            keptUntil: Sample.start + .seconds(3600), followUps: followUps)
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `come out in the order they went in, page by page, each once`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            // Ids that do not sort by age, as those of ticks need not.
            let numbers = [5, 3, 9, 1, 7, 2]
            try promise(rig, numbers)
            try promise(rig, [100], "other")

            let first = try take(rig, fresh: 4)
            #expect(first.fresh.map(\.id) == numbers[..<4].map(Sample.id))
            #expect(first.hasMoreFresh)
            #expect(first.fresh[0] == Sample.queued(5))
            let second = try take(rig, after: first.last, fresh: 4)
            #expect(second.fresh.map(\.id) == numbers[4...].map(Sample.id))
            #expect(!second.hasMoreFresh)
            for number in numbers { try rig.write { try $0.settle(Self.settlement(number, .success)) } }
            try promise(rig, [11])
            #expect(
                try take(rig, after: second.last, fresh: 4).fresh.map(\.id) == [Sample.id(11)],
                "a number that was free again would be behind the reader")
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `keep what was agreed on`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            var terms = PromiseTerms(
                retry: RetryPolicy(retries: 7, delay: .milliseconds(1500), ageMax: .seconds(77)),
                onSuccess: try Destination("function:glad@live"), onFailure: try Destination("function:sad:7"),
                resultKept: .seconds(5), hops: 3)
            terms.startsAt = Sample.start + .seconds(50)
            let execution = QueuedExecution(
                id: Sample.id(1), function: Self.hello, version: Sample.number(1), trigger: .async, payload: [1],
                createdAt: Sample.start, terms: terms, dueAt: terms.startsAt)
            try rig.write { try $0.promise(execution, key: nil) }

            #expect(try rig.read { try $0.promised(Sample.id(1)) } == execution)
            #expect(try rig.read { try $0.execution(Sample.id(1)) }.dueAt == terms.startsAt)
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `come out when their instant has come, and are given to nobody else before the next start`(
        kind: BackendRig.Kind
    ) throws {
        try BackendRig.with(kind) { rig in
            try promise(rig, Array(1...5))
            for (number, seconds) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
                try rig.write {
                    try $0.settle(Self.settlement(number, .queued, failures: 1, dueAt: seconds))
                }
            }
            #expect(try take(rig, fresh: 9).fresh.map(\.id) == [Sample.id(5)])
            #expect(try take(rig, due: 9, at: 9).due.isEmpty)
            #expect(try take(rig, due: 9, at: 9).nextDue == Sample.start + .seconds(10))
            let page = try take(rig, due: 2, at: 30)
            #expect(page.due.map(\.id) == [Sample.id(2), Sample.id(3)])
            #expect(page.hasMoreDue)
            #expect(page.due[0].standing == PromiseStanding(attempts: 1, failures: 1))
            #expect(try take(rig, due: 9, at: 30).due.map(\.id) == [Sample.id(1)])
            #expect(try take(rig, due: 9, at: 30).due.isEmpty)

            try rig.write { try $0.giveBackTaken() }

            #expect(Set(try take(rig, due: 9, at: 30).due.map(\.id)) == Set([1, 2, 3].map(Sample.id)))
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `end once, and what follows follows once`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            try promise(rig, [1])
            let end = Self.settlement(
                1, .success, attempts: 2, result: StoredResult(fields: [0, 0], body: [4, 5]),
                followUps: [Sample.queued(2)])
            try rig.write { try $0.settle(end) }
            try rig.write { try $0.settle(end) }
            try rig.write { try $0.settle(Self.settlement(1, .failed, followUps: [Sample.queued(3)])) }

            let record = try rig.read { try $0.execution(Sample.id(1)) }
            #expect(record.status == .success)
            #expect(record.attempts == 2)
            #expect(try rig.read { try $0.result(of: Sample.id(1)) }?.body == [4, 5])
            #expect(try take(rig, fresh: 9).fresh.map(\.id) == [Sample.id(2)])
            try rig.expectFailure(.notFound(.input(Sample.id(1)))) { try $0.promised(Sample.id(1)) }
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are one with the same key, for a day`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            func keyed(_ number: Int, _ request: UInt8, at seconds: Int = 0) throws -> ExecutionID {
                let execution = QueuedExecution(
                    id: Sample.id(number), function: Self.hello, version: Sample.number(1), trigger: .async,
                    payload: [request], createdAt: Sample.start + .seconds(seconds))
                return try rig.write {
                    try $0.promise(execution, key: IdempotencyKey(text: "order", request: [request]))
                }
            }
            let first = try keyed(1, 7)
            let second = try keyed(2, 7, at: 86_399)
            #expect([first, second] == [Sample.id(1), Sample.id(1)])
            do {
                _ = try keyed(3, 8)
                Issue.record("the key was given to another request")
            } catch {
                #expect(error as? StoreError == .keyReused(key: "order", by: Sample.id(1)))
            }
            let fourth = try keyed(4, 8, at: 86_400)
            #expect(fourth == Sample.id(4))
            #expect(try take(rig, fresh: 9).fresh.map(\.id) == [Sample.id(1), Sample.id(4)])
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are counted by function, with the next instant`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            #expect(try rig.read { try $0.waitingFunctions() }.isEmpty)
            try promise(rig, Array(1...4))
            try promise(rig, [10, 11], "another")
            try promise(rig, [20], "zero")
            try rig.write { session in
                try session.settle(Self.settlement(1, .success))
                try session.settle(Self.settlement(2, .dead))
                try session.settle(Self.settlement(3, .queued, failures: 1, dueAt: 9))
                try session.settle(Self.settlement(20, .failed))
            }
            #expect(
                try rig.read { try $0.waitingFunctions() } == [
                    WaitingFunction(function: Sample.name("another"), count: 2, nextDue: nil),
                    WaitingFunction(function: Self.hello, count: 2, nextDue: Sample.start + .seconds(9)),
                ])
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `that are dead wait for a redrive or their deletion`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            try promise(rig, [1, 2, 3])
            for number in [1, 2] {
                try rig.write { try $0.settle(Self.settlement(number, .dead, attempts: 3, failures: 3)) }
            }
            let again = try rig.write { try $0.redrive(Sample.id(1), at: Sample.start + .seconds(500)) }
            #expect(again.standing == PromiseStanding(attempts: 3, failures: 0))
            #expect(again.payload == [1, 2, 3])
            #expect(again.terms.startsAt == Sample.start + .seconds(500))
            #expect(try rig.read { try $0.execution(Sample.id(1)) }.status == .queued)
            #expect(try take(rig, fresh: 9).fresh == [again, Sample.queued(3)])

            try rig.write { try $0.deleteDead(Sample.id(2)) }
            try rig.expectFailure(.notFound(.execution(Sample.id(2)))) { try $0.execution(Sample.id(2)) }
            for number in [1, 2, 3] {
                try rig.expectFailure(.notFound(.dead(Sample.id(number)))) { try $0.deleteDead(Sample.id(number)) }
            }
            let redriven = try rig.failure { try $0.redrive(Sample.id(3), at: Sample.start) }
            #expect(redriven == .notFound(.dead(Sample.id(3))))
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `that are cancelled never come out again`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            try promise(rig, [1, 2])
            try rig.write { try $0.settle(Self.settlement(2, .success)) }
            let why = Problem(.cancelled, "somebody wanted it")
            func cancel(_ number: Int) throws -> CancelAnswer {
                try rig.write { try $0.cancel(Sample.id(number), at: Sample.start, because: why) }
            }
            guard case .cancelled(let record) = try cancel(1), case .ended(let first) = try cancel(1),
                case .ended(let second) = try cancel(2)
            else {
                Issue.record("cancelled what it should not, or not what it should")
                return
            }
            #expect([record.status, first.status, second.status] == [.cancelled, .cancelled, .success])
            #expect(try take(rig, fresh: 9).fresh.isEmpty)
            #expect(try rig.read { try $0.promised(Sample.id(1)) }.payload == [1, 2, 3], "for a retry")
            try rig.expectFailure(.notFound(.execution(Sample.id(9)))) {
                try $0.cancel(Sample.id(9), at: Sample.start, because: why)
            }
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `leave their results until these expire, and the records as long`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            var kept = Retention()
            kept.executions = 10
            let retention = kept
            try promise(rig, Array(1...20))
            for number in 1...20 {
                try rig.write {
                    try $0.settle(
                        Self.settlement(
                            number, number % 2 == 0 ? .success : .failed,
                            result: StoredResult(fields: [0, 0], body: [UInt8(number)])))
                }
            }
            try rig.write { try $0.record((100..<140).map { Sample.record($0) }) }
            func prune(at seconds: Int) throws {
                while try rig.write({
                    try $0.prune(to: retention, rowsMax: 7, now: Sample.start + .seconds(seconds))
                }) {}
                // Where a step ended without finding anything, the next one goes on.
                for _ in 0..<9 {
                    try rig.write { _ = try $0.prune(to: retention, rowsMax: 7, now: Sample.start + .seconds(seconds)) }
                }
            }
            try prune(at: 3599)
            var before: [Int] = []
            for number in 1...20 where try hasResult(rig, number) { before.append(number) }
            #expect(before == Array(1...20))
            let payload = try input(rig, 3)
            #expect(payload == [1, 2, 3])
            #expect(try exists(rig, 100) == false)

            try prune(at: 3600)

            for number in 1...20 {
                let left = (try hasResult(rig, number), try input(rig, number), try exists(rig, number))
                #expect(left == (false, nil, false))
            }
        }
    }

    private func hasResult(_ rig: BackendRig, _ number: Int) throws -> Bool {
        let id = Sample.id(number)
        return try rig.read { try $0.result(of: id) } != nil
    }

    private func input(_ rig: BackendRig, _ number: Int) throws -> [UInt8]? {
        let id = Sample.id(number)
        return try? rig.read { try $0.promised(id) }.payload
    }

    private func exists(_ rig: BackendRig, _ number: Int) throws -> Bool {
        let id = Sample.id(number)
        return (try? rig.read { try $0.execution(id) }) != nil
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `don't fill the disk with results`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            var kept = Retention()
            kept.resultBytes = 1000
            let retention = kept
            try promise(rig, Array(1...20))
            for number in 1...20 {
                let result = StoredResult(fields: [], body: [UInt8](repeating: 1, count: 100))
                try rig.write { try $0.settle(Self.settlement(number, .success, result: result)) }
            }
            while try rig.write({ try $0.prune(to: retention, rowsMax: 7, now: Sample.start) }) {}

            var left: [Int] = []
            for number in 1...20 where try hasResult(rig, number) { left.append(number) }
            #expect(left == Array(11...20))
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are noted as running, until they have ended`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            try promise(rig, [1, 2])
            try rig.write { try $0.settle(Self.settlement(2, .success)) }
            try rig.write {
                try $0.began([BeginMark(id: Sample.id(1), attempts: 4), BeginMark(id: Sample.id(2), attempts: 4)])
            }
            let running = try rig.read { try $0.execution(Sample.id(1)) }
            #expect(running.status == .running && running.attempts == 4)
            #expect(try rig.read { try $0.execution(Sample.id(2)) }.status == .success)
            #expect(try take(rig, fresh: 9).fresh.map(\.standing.attempts) == [4])
        }
    }
}
