// The contract of a backend, third part: executions and logs. Runs on every backend there is.

import Model
import Testing

@testable import Store

@Suite struct `Executions in a backend` {
    @Test(arguments: BackendRig.Kind.allCases)
    func `are unfinished until they are recorded as ended`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let payload = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
            let executions = [
                Sample.queued(1, payload: payload), Sample.queued(2, payload: []),
                Sample.queued(3, trigger: .job(Sample.job("nightly"))),
            ]
            try rig.write { try $0.enqueue(executions) }
            try rig.write { try $0.record([Sample.record(2, status: .running), Sample.record(3)]) }

            #expect(try rig.read { try $0.unfinished(limit: 10, after: nil) } == Array(executions[..<2]))
            #expect(try rig.read { try $0.unfinished(limit: 1, after: nil) } == [executions[0]])
            #expect(try rig.read { try $0.unfinished(limit: 10, after: executions[0].id) } == [executions[1]])
            let ended = try rig.read { try $0.execution(Sample.id(3)) }
            #expect(ended.status == .success)
            #expect(ended.trigger == .job(Sample.job("nightly")))
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are handed out in pages of bounded size`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let large = [UInt8](repeating: 7, count: StoreLimit.unfinishedBytesMax / 2 + 1)
            for number in 1...3 { try rig.write { try $0.enqueue([Sample.queued(number, payload: large)]) } }
            let page = try rig.read { try $0.unfinished(limit: 10, after: nil) }
            #expect(page.map(\.id) == [Sample.id(1), Sample.id(2)])
            let rest = try rig.read { try $0.unfinished(limit: 10, after: Sample.id(2)) }
            #expect(rest.map(\.id) == [Sample.id(3)])
            #expect(try rig.read { try $0.unfinished(limit: 10, after: Sample.id(3)) }.isEmpty)
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `keep the first outcome, whatever is recorded later`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            try rig.write { try $0.enqueue([Sample.queued(1)]) }
            try rig.write { try $0.record([Sample.record(1, status: .timeout)]) }
            for status in ExecutionStatus.allCases {
                try rig.write { try $0.record([Sample.record(1, status: status)]) }
                #expect(try rig.read { try $0.execution(Sample.id(1)) }.status == .timeout)
            }
            #expect(try rig.read { try $0.unfinished(limit: 10, after: nil) }.isEmpty)
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `come back with all they cost`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            var plain = Sample.record(2)
            plain.endedAt = Sample.start
            try rig.write { [plain] in try $0.record([Sample.fullRecord(1), plain]) }
            #expect(try rig.read { try $0.execution(Sample.id(1)) } == Sample.fullRecord(1))
            #expect(try rig.read { try $0.execution(Sample.id(2)) } == plain)
            try rig.expectFailure(.notFound(.execution(Sample.id(3)))) { try $0.execution(Sample.id(3)) }
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are not accepted twice`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            try rig.write { try $0.enqueue([Sample.queued(1)]) }
            let error = try rig.failure { try $0.enqueue([Sample.queued(1)]) }
            guard case .conflict(let cause) = error else {
                Issue.record("answered \(String(describing: error))")
                return
            }
            #expect(cause.text.contains("execution.id"))
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are listed newest first, by function, status and trigger`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let records = (0..<60).map { number in
                Sample.record(
                    number, function: number % 2 == 0 ? "even" : "odd",
                    trigger: number % 3 == 0 ? .job(Sample.job("nightly")) : .http,
                    status: number % 5 == 0 ? .failed : .success)
            }
            try rig.write { try $0.record(records) }
            func numbers(_ filter: ExecutionFilter) throws -> [Int] {
                var filter = filter
                var found: [Int] = []
                while true {
                    let page = try rig.read { [filter] in try $0.executions(filter) }
                    #expect(page.records.count <= filter.limit)
                    found += page.records.compactMap { records.firstIndex(of: $0) }
                    guard let next = page.next else { return found }
                    #expect(page.records.count == filter.limit)
                    filter.after = next
                }
            }
            let all = Array((0..<60).reversed())

            #expect(try numbers(ExecutionFilter(limit: 7)) == all)
            #expect(try numbers(ExecutionFilter(limit: 60)) == all)
            #expect(try numbers(ExecutionFilter(function: Sample.name("odd"), limit: 7)) == all.filter { $0 % 2 == 1 })
            #expect(try numbers(ExecutionFilter(status: .failed, limit: 5)) == all.filter { $0 % 5 == 0 })
            #expect(try numbers(ExecutionFilter(status: .success, limit: 5)) == all.filter { $0 % 5 != 0 })
            #expect(try numbers(ExecutionFilter(triggerPrefix: "job:", limit: 3)) == all.filter { $0 % 3 == 0 })
            #expect(try numbers(ExecutionFilter(triggerPrefix: "job:night", limit: 9)) == all.filter { $0 % 3 == 0 })
            #expect(try numbers(ExecutionFilter(triggerPrefix: "job:none", limit: 9)).isEmpty)
            // What would be a pattern is taken by its letters.
            #expect(try numbers(ExecutionFilter(triggerPrefix: "%", limit: 9)).isEmpty)
            let mixed = ExecutionFilter(
                function: Sample.name("even"), status: .failed, triggerPrefix: "http", limit: 1)
            #expect(try numbers(mixed) == all.filter { $0 % 2 == 0 && $0 % 5 == 0 && $0 % 3 != 0 })
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are pruned when they have ended, the oldest first`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            var kept = Retention()
            kept.executions = 500
            let (excess, retention) = (40, kept)
            try rig.write { session in
                try session.enqueue([Sample.queued(0), Sample.queued(1)])
                try session.record([Sample.record(1, status: .dead)])
                try session.record((2..<(retention.executions + excess)).map { Sample.record($0) })
            }
            func prune() throws -> Bool {
                try rig.write { try $0.prune(to: retention, rowsMax: 30, now: Sample.start) }
            }

            #expect(try prune() == true)
            #expect(try prune() == false)

            for (number, isKept) in [(0, true), (1, true), (2, false), (excess - 1, false), (excess, true)] {
                let found = (try? rig.read { try $0.execution(Sample.id(number)) }) != nil
                #expect(found == isKept, "execution \(number)")
            }
            #expect(try rig.read { try $0.unfinished(limit: 10, after: nil) } == [Sample.queued(0)])
        }
    }
}

@Suite struct `Logs in a backend` {
    @Test(arguments: BackendRig.Kind.allCases)
    func `come back in the order they were written`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let lines = (0..<50).map { number in
                Sample.line(
                    number, function: number % 2 == 0 ? "even" : "odd", execution: number % 5 == 0 ? number : nil,
                    text: [7: "", 9: "a\u{0}b", 11: "日本"][number])
            }
            try rig.write { try $0.append(lines) }
            func found(_ filter: LogFilter) throws -> [LogLine] {
                try rig.read { try $0.logs(filter) }.map(\.line)
            }

            #expect(try found(LogFilter(after: 0)) == lines)
            #expect(try found(LogFilter(limit: 3)) == Array(lines[47...]))
            #expect(try found(LogFilter(function: Sample.name("odd"), limit: 2)) == [lines[47], lines[49]])
            #expect(try found(LogFilter(function: Sample.name("odd"), after: 0, limit: 2)) == [lines[1], lines[3]])
            #expect(try found(LogFilter(execution: Sample.id(5))) == [lines[5]])
            #expect(try found(LogFilter(function: Sample.name("even"), execution: Sample.id(5))).isEmpty)
            let cursor = try rig.read { try $0.logs(LogFilter(limit: 1)) }[0].cursor
            try rig.write { try $0.append([Sample.line(50)]) }
            #expect(try found(LogFilter(after: cursor)) == [Sample.line(50)])
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are pruned by number`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            var kept = Retention()
            kept.logLines = 500
            let (excess, retention) = (100, kept)
            try rig.write { session in
                try session.append((0..<(retention.logLines + excess)).map { Sample.line($0) })
            }
            while try rig.write({ try $0.prune(to: retention, rowsMax: 30, now: Sample.start) }) {}
            #expect(try rig.read { try $0.logs(LogFilter(after: 0, limit: 1)) }.first?.line == Sample.line(excess))
        }
    }

    @Test(arguments: BackendRig.Kind.allCases)
    func `are pruned by size`(kind: BackendRig.Kind) throws {
        try BackendRig.with(kind) { rig in
            let text = String(repeating: "x", count: 1000)
            var kept = Retention()
            kept.logBytes = 200_000
            let retention = kept
            try rig.write { session in
                try session.append((0..<300).map { Sample.line($0, text: text) })
            }
            while try rig.write({ try $0.prune(to: retention, rowsMax: 30, now: Sample.start) }) {}
            let oldest = try rig.read { try $0.logs(LogFilter(after: 0, limit: 1)) }.first
            #expect(oldest?.line.time == Sample.start + .seconds(100))
        }
    }
}
