// What people do with promised executions: wait for them, cancel them, name them, have others told.

import EngineSupport
import EventLoop
import Model
import Testing
import WorkerPool

@testable import Dispatcher

@Suite struct `Promised executions in people's hands` {
    private func rig(_ time: Duration = .seconds(10), max: Int = 1) -> EngineRig {
        EngineRig(SampleFunction.catalog(SampleFunction.version("hello", 1) { $0.workersMax = max })) { _, _ in
            WorkerHabits { request in request.after(time) { $0.answer(body: [1, 2, 3]) } }
        }
    }

    private func cancel(_ id: ExecutionID, _ rig: EngineRig) -> () -> [String] {
        var answers: [String] = []
        rig.engine.cancel(id) { result in
            switch result {
            case .success(let record): answers.append(record.status.rawValue)
            case .failure(let problem): answers.append(problem.code.rawValue)
            }
        }
        return { answers }
    }

    @Test func `that run are cancelled, and their worker ends`() {
        let rig = rig()
        let id = rig.promise(terms: PromiseTerms())
        rig.advance(.seconds(1))
        let answers = cancel(id, rig)
        #expect(answers().isEmpty, "only when it is in the store")
        rig.advance(.seconds(5))

        #expect(answers() == ["cancelled"])
        #expect(rig.ends.map(\.status) == [.cancelled])
        #expect(rig.status()?.busy == 0)
        rig.advance(.seconds(600))
        #expect(rig.ends.count == 1, "it is not tried again")
    }

    @Test func `that wait in memory are cancelled and never begin`() {
        let rig = rig()
        rig.promise()
        let id = rig.promise()
        rig.advance(.seconds(1))
        let answers = cancel(id, rig)
        rig.advance(.seconds(60))

        #expect(answers() == ["cancelled"])
        #expect(rig.workers.requests.count == 1)
        #expect(rig.engine.backlogCount == 0)
    }

    @Test func `that wait in the store are cancelled and never begin`() {
        let rig = rig(.milliseconds(100))
        let ids = (0..<400).map { _ in rig.promise() }
        rig.advance(.milliseconds(150))
        let answers = cancel(ids[399], rig)
        rig.advance(.seconds(60))

        #expect(answers() == ["cancelled"])
        #expect(rig.workers.requests.count == 399)
        #expect(rig.engine.backlogCount == 0)
        #expect(rig.book.ends.count == 400)
    }

    @Test func `are cancelled for good, also while a page of them is on its way`() {
        let rig = rig(.milliseconds(10))
        rig.book.commitTime = .milliseconds(35)
        let ids = (0..<1200).map { _ in rig.promise() }
        rig.advance(.milliseconds(100))
        var answers: [() -> [String]] = []
        // Each of them a window ahead of what runs, so in the store, or just on its way from there.
        for id in ids[260...].enumerated().filter({ $0.offset % 3 == 0 }).map(\.element) {
            answers.append(cancel(id, rig))
            rig.advance(.milliseconds(20))
        }
        rig.advance(.seconds(60))

        let cancelled = answers.count { $0() == ["cancelled"] }
        #expect(answers.allSatisfy { $0() == ["cancelled"] || $0() == ["not-cancellable"] })
        #expect(cancelled > 100)
        #expect(rig.book.ends.count == 1200)
        #expect(rig.book.ends.values.count { $0.status == .cancelled } == cancelled)
        #expect(rig.workers.requests.count <= 1200)
        #expect(rig.engine.backlogCount == 0)
        #expect(rig.engine.backlog.total == 0 && rig.engine.backlog.bytes == 0)
    }

    @Test func `that wait for their next attempt are cancelled`() {
        let rig = EngineRig(SampleFunction.catalog(SampleFunction.version("hello", 1))) { _, _ in
            WorkerHabits { $0.raise("E", "") }
        }
        let id = rig.promise(terms: PromiseTerms())
        rig.advance(.seconds(1))
        let answers = cancel(id, rig)
        rig.advance(.seconds(3600))

        #expect(answers() == ["cancelled"])
        #expect(rig.workers.requests.count == 1)
        #expect(rig.book.ends[id]?.status == .cancelled)
    }

    @Test func `that have ended can't be cancelled`() {
        let rig = rig(.zero)
        let id = rig.promise()
        rig.advance(.seconds(1))
        let answers = cancel(id, rig)
        rig.advance(.seconds(1))

        #expect(answers() == ["not-cancellable"])
        #expect(rig.book.ends[id]?.status == .success)
    }

    @Test func `are waited for, no longer than one wants`() throws {
        let rig = rig()
        let id = rig.promise()
        var seen: [ExecutionStatus?] = []
        let first = try rig.engine.awaitEnd(of: id, patience: .seconds(5)) { seen.append($0?.status) }
        let second = try rig.engine.awaitEnd(of: id, patience: .seconds(60)) { seen.append($0?.status) }
        let third = try rig.engine.awaitEnd(of: id, patience: .seconds(60)) { seen.append($0?.status) }
        third.cancel()
        rig.advance(.seconds(6))
        #expect(seen == [nil])
        rig.advance(.seconds(10))

        #expect(seen == [nil, .success])
        #expect(rig.engine.promises.watch.count == 0)
        #expect(rig.engine.promises.waits.isEmpty)
        withExtendedLifetime((first, second)) {}
    }

    @Test func `are not waited for by a server that ends`() throws {
        let rig = rig()
        let id = rig.promise()
        rig.advance(.seconds(1))
        var seen: [ExecutionStatus?] = []
        let wait = try rig.engine.awaitEnd(of: id, patience: .seconds(60)) { seen.append($0?.status) }
        rig.engine.drain {}

        #expect(seen == [nil])
        withExtendedLifetime(wait) {}
    }

    @Test func `are watched from state to state`() throws {
        var fails = true
        let rig = EngineRig(SampleFunction.catalog(SampleFunction.version("hello", 1))) { _, _ in
            WorkerHabits { request in
                let raises = fails
                fails = false
                request.after(.seconds(1)) { if raises { $0.raise("E", "") } else { $0.answer() } }
            }
        }
        let id = rig.promise(terms: PromiseTerms(retry: RetryPolicy(delay: .seconds(10))))
        var seen: [ExecutionStatus] = []
        let token = try rig.engine.watch(id) { seen.append($0.status) }
        rig.advance(.seconds(60))
        rig.engine.unwatch(token)

        #expect(seen == [.running, .queued, .running, .success])
    }

    @Test func `keep what the function answered`() {
        let rig = rig(.zero)
        let id = rig.promise()
        let other = rig.promise(terms: PromiseTerms(resultKept: .zero))
        rig.advance(.seconds(1))

        #expect(rig.book.results[id]?.body == [1, 2, 3])
        #expect(rig.book.results[other] == nil)
    }

    @Test func `with the same key are one`() {
        let rig = rig(.zero)
        let key = RequestKey(text: "order-1", request: [1])
        var kept: [ExecutionID] = []
        for _ in 0..<3 {
            rig.engine.enqueue(
                rig.promise("hello", version: 1, body: [], id: rig.engine.makeID()), key: key
            ) { if case .success(let id) = $0 { kept.append(id) } }
            rig.advance(.seconds(1))
        }

        #expect(kept.count == 3 && Set(kept).count == 1)
        #expect(rig.workers.requests.count == 1)
        #expect(rig.engine.backlogCount == 0)
    }

    @Test func `tell another function of their end`() throws {
        let rig = EngineRig(
            SampleFunction.catalog(
                SampleFunction.version("hello", 1), SampleFunction.version("glad", 1), SampleFunction.version("sad", 1))
        ) { _, request in
            let name = request.version.name.text
            return WorkerHabits { request in
                if name == "hello", request.body == [0] {
                    request.raise("ValueError", "no \"quotes\"")
                } else {
                    request.answer(body: Array("fine".utf8))
                }
            }
        }
        let terms = PromiseTerms(
            retry: RetryPolicy(retries: 0), onSuccess: try Destination("function:glad"),
            onFailure: try Destination("function:sad"))
        let good = rig.promise(body: [1], terms: terms)
        let bad = rig.promise(body: [0], terms: terms)
        rig.advance(.seconds(1))

        let told = rig.workers.requests.filter { $0.body.count > 1 }.map { String(decoding: $0.body, as: UTF8.self) }
        #expect(told.count == 2)
        #expect(told.contains { $0.contains("\"execution\":\"\(good)\"") && $0.contains("\"body\":\"fine\"") })
        #expect(told.contains { $0.contains("\"execution\":\"\(bad)\"") && $0.contains("\"status\":\"failed\"") })
        #expect(Set(rig.ends.map(\.function.text)) == ["hello", "glad", "sad"])
    }

    @Test func `that call themselves on and on are stopped after sixteen`() throws {
        let rig = EngineRig(
            SampleFunction.catalog(
                SampleFunction.version("hello", 1) { $0.promise.onSuccess = try? Destination("function:hello") }))
        var terms = EngineRig.once
        terms.onSuccess = try Destination("function:hello")
        rig.promise(terms: terms)
        rig.advance(.seconds(60))

        #expect(rig.workers.requests.count == 17)
        #expect(rig.logs.contains { $0.stream == .system && $0.text.contains("16 executions led to this one") })
    }
}
