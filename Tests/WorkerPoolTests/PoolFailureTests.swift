// Workers that crash, hang, lie or never come: what callers get, and what the pool does next.

import EngineSupport
import Model
import Testing

@testable import WorkerPool

@Suite struct `A worker that exits` {
    @Test func `with a call in hand answers it 502, and the next call is served`() {
        let rig = PoolRig.workers { number in
            WorkerHabits { request in
                if number == 1 { request.worker.exit("killed by SIGSEGV") } else { request.answer() }
            }
        }
        let first = rig.call()
        rig.advance(.milliseconds(20))
        let second = rig.call()
        rig.advance(.milliseconds(20))

        #expect(first.code == .workerExited)
        #expect(first.problem?.code.status == 502)
        #expect(first.problem?.detail.contains("killed by SIGSEGV") == true)
        #expect(second.status == 200)
        #expect(rig.lines.contains { $0.stream == .system && $0.execution == SampleFunction.id(1) })
    }

    @Test func `with several calls in hand answers each of them once`() {
        let rig = PoolRig {
            $0.concurrency = 10
        } habits: { number in
            WorkerHabits { request in
                if number == 1, request.number == 10 { request.worker.exit() }
                if number > 1 { request.answer() }
            }
        }
        let callers = rig.calls(10)
        rig.advance(.seconds(1))

        #expect(callers.allSatisfy { $0.code == .workerExited && $0.outcomes.count == 1 })
    }

    @Test func `in mid-answer truncates it`() {
        let rig = PoolRig.workers { _ in
            WorkerHabits { request in
                request.head()
                request.chunk([1])
                request.after(.milliseconds(1)) { $0.worker.exit() }
            }
        }
        let caller = rig.call()
        rig.advance(.milliseconds(20))

        #expect(caller.heads.count == 1)
        #expect(caller.code == .workerExited)
    }

    @Test func `while idle is not missed until it is needed`() {
        let rig = PoolRig()
        rig.call()
        rig.advance(.milliseconds(20))

        rig.workers.all[0].exit()
        rig.advance(.seconds(1))
        #expect(rig.alive == 0)
        let caller = rig.call()
        rig.advance(.milliseconds(20))

        #expect(caller.status == 200)
    }

    @Test func `at each call is started ever more slowly, then calls answer 503 at once`() throws {
        let rig = PoolRig.workers { _ in WorkerHabits { request in request.worker.exit() } }
        for _ in 0..<5 {
            let caller = rig.call()
            rig.advance(.seconds(4))
            #expect(caller.code == .workerExited)
        }
        rig.call()
        rig.advance(.milliseconds(20))

        let refused = rig.call()

        let problem = try #require(refused.problem)
        #expect(problem.code == .workerNotStarted)
        #expect(problem.code.status == 503)
        #expect(problem.retryAfterSeconds == 4, "the sixth wait is 3.2 s")
    }

    @Test func `as soon as it is ready is not started over and over`() {
        let rig = PoolRig {
            $0.workersMin = 1
        } habits: { _ in
            var habits = WorkerHabits()
            habits.onReady = { worker in worker.after(.microseconds(10)) { worker.exit("exit status 0", isClean: true) }
            }
            return habits
        }
        rig.pool.warm()
        rig.advance(.seconds(10))

        #expect(rig.workers.all.count <= 8, "back-off: 0.2, 0.4, 0.8 … s")
        #expect(rig.workers.all.count >= 3)
    }
}

@Suite struct `A worker that does not start` {
    @Test func `because the process can't be made answers 503 and names the reason`() {
        let rig = PoolRig.workers { _ in WorkerHabits(.notStarted("clone3: no memory")) }
        let caller = rig.call()
        rig.advance(.seconds(10))

        #expect(caller.code == .workerNotStarted)
        #expect(caller.problem?.detail.contains("clone3: no memory") == true)
        #expect(rig.lines.contains { $0.text.contains("clone3: no memory") })
        #expect(rig.host.workers == 0)
        #expect(rig.host.starting == 0)
    }

    @Test func `because the handler can't be loaded answers all that wait 500`() {
        let rig = PoolRig.workers { _ in WorkerHabits(.initFailed(type: "ImportError", message: "no module named x")) }
        let callers = rig.calls(3)
        rig.advance(.milliseconds(50))

        for caller in callers {
            #expect(caller.code == .functionRaised)
            #expect(caller.problem?.code.status == 500)
            #expect(caller.problem?.functionError?.errorType == "ImportError")
        }
    }

    @Test func `and does not exit after its handler failed is ended, and its own error is told`() {
        let rig = PoolRig.workers { _ in WorkerHabits(.initFailedAndStays(type: "ImportError", message: "x")) }
        let caller = rig.call()
        rig.advance(.seconds(15))

        #expect(caller.problem?.functionError?.errorType == "ImportError")
        #expect(rig.alive == 0)
    }

    @Test func `within ten seconds is given up, and the calls answer 500`() {
        let rig = PoolRig.workers { _ in WorkerHabits(.hangs) }
        let caller = rig.call()
        rig.advance(.milliseconds(9_900))
        #expect(!caller.isAnswered)

        rig.advance(.milliseconds(200))

        #expect(caller.code == .functionRaised)
        #expect(caller.problem?.functionError?.errorType == "Runtime.InitTimeout")
        #expect(rig.workers.all[0].orderNames == ["kill"])
    }

    @Test func `five times in a row opens the breaker: calls answer at once, one probe a back-off`() {
        let rig = PoolRig.workers { _ in WorkerHabits(.initFailed(type: "ImportError", message: "x")) }
        for _ in 0..<5 {
            rig.call()
            rig.advance(.seconds(4))
        }
        let before = rig.workers.all.count

        // The back-off after the fifth failure was 1.6 s and is over: one probe, for all that come meanwhile.
        let callers = rig.calls(20)
        rig.advance(.milliseconds(50))

        #expect(rig.workers.all.count == before + 1)
        #expect(callers.allSatisfy { $0.isAnswered })
        let refused = rig.call()
        #expect(refused.code == .workerNotStarted)
        #expect(refused.problem?.functionError?.errorType == "ImportError")
        #expect(rig.workers.all.count == before + 1)
        rig.advance(.seconds(60))
        #expect(rig.workers.all.count == before + 1, "nobody called, so there was nothing to probe for")
    }

    @Test func `is tried again and again for the minimum, ever more slowly`() {
        let rig = PoolRig {
            $0.workersMin = 1
        } habits: { number in
            number <= 4 ? WorkerHabits(.exits) : WorkerHabits()
        }
        rig.pool.warm()
        rig.advance(.milliseconds(100))
        #expect(rig.workers.all.count == 2)

        rig.advance(.seconds(5))

        #expect(rig.pool.status.idle == 1)
    }

    @Test func `once, then does, serves the calls that came meanwhile`() {
        let rig = PoolRig.workers { number in number == 1 ? WorkerHabits(.exits) : WorkerHabits() }
        let caller = rig.call()
        rig.advance(.milliseconds(50))

        #expect(caller.status == 200)
    }

    @Test func `recovers at the first success`() {
        var isBroken = true
        let rig = PoolRig.workers { _ in isBroken ? WorkerHabits(.exits) : WorkerHabits() }
        for _ in 0..<8 {
            rig.call()
            rig.advance(.seconds(31))
        }
        isBroken = false

        let callers = rig.calls(10)
        rig.advance(.seconds(1))

        #expect(callers.allSatisfy { $0.status == 200 })
    }
}

@Suite struct `A worker that lies` {
    /// Serves the first call with `bytes` instead of an answer.
    private func rig(_ concurrency: Int = 1, lie: @escaping (SimulatedRequest) -> Void) -> PoolRig {
        PoolRig {
            $0.concurrency = concurrency
        } habits: { number in
            WorkerHabits { request in if number == 1 { lie(request) } else { request.answer() } }
        }
    }

    private static let lies: [(name: String, lie: @Sendable (SimulatedRequest) -> Void)] = [
        ("an unknown type", { $0.send(99) }),
        ("a type of the server's", { $0.send(WireType.drain) }),
        (
            "a frame that is too long",
            { $0.worker.send(raw: [255, 255, 255, 255] + [UInt8](repeating: 17, count: 20)) }
        ),
        ("a wrong nonce", { $0.worker.send(WireFrame(WireType.chunk, request: $0.number, nonce: $0.nonce &+ 1)) }),
        (
            "a wrong nonce in an end",
            {
                $0.worker.send(
                    WireFrame(
                        WireType.end, request: $0.number, nonce: 0, body: [0] + wire(UInt64.max) + wire(UInt64.max)))
            }
        ),
        ("a wrong nonce in a log", { $0.worker.send(WireFrame(WireType.log, request: $0.number, nonce: 1)) }),
        ("a request that never was", { $0.worker.send(WireFrame(WireType.chunk, request: 77, nonce: $0.nonce)) }),
        (
            "an answer for the worker itself",
            { $0.worker.send(WireFrame(WireType.end, body: [0] + wire(UInt64.max) + wire(UInt64.max))) }
        ),
        ("a chunk before the head", { $0.chunk([1]) }),
        (
            "two heads",
            {
                $0.head(); $0.head()
            }
        ),
        ("hello again", { $0.worker.send(WireFrame(WireType.hello, body: wire(UInt32(1)))) }),
        ("ready again", { $0.worker.send(WireFrame(WireType.ready)) }),
        ("init-failed after ready", { $0.worker.send(WireFrame(WireType.initFailed, body: wire(fields: []))) }),
        (
            "a head with lengths past its end",
            { $0.send(WireType.head, body: wire(UInt16(200)) + wire(UInt16(1)) + wire(UInt16(9)) + wire(UInt32.max)) }
        ),
        ("a head with a status of its own", { $0.head(status: 999) }),
        ("an interim status", { $0.head(status: 101) }),
        (
            "a short end",
            {
                $0.head(); $0.send(WireType.end, body: [0])
            }
        ),
        (
            "an outcome that is none",
            {
                $0.head(); $0.end(outcome: 9)
            }
        ),
        ("a short credit", { $0.send(WireType.credit, body: [1]) }),
        (
            "more body than it has credit for",
            { request in
                request.head()
                for _ in 0..<2 { request.chunk([UInt8](repeating: 1, count: WireFrame.bodyMax)) }
            }
        ),
    ]

    @Test(arguments: lies.indices)
    func `is killed, its call answers 502, the next one is served`(index: Int) throws {
        let (name, lie) = Self.lies[index]
        let rig = rig(lie: lie)
        let caller = Caller()
        caller.takesAnswer = false
        rig.call(caller: caller)
        rig.advance(.milliseconds(30))
        let next = rig.call()
        rig.advance(.milliseconds(30))

        #expect(caller.code == .workerProtocol, "\(name)")
        #expect(caller.problem?.code.status == 502, "\(name)")
        #expect(caller.outcomes.count == 1, "\(name)")
        #expect(rig.workers.all[0].orderNames == ["kill"], "\(name)")
        #expect(next.status == 200, "\(name)")
    }

    @Test func `takes all its calls with it, and none that comes in the same moment`() {
        let rig = rig(2) { request in if request.number == 2 { request.send(99) } }
        let callers = [Caller(), Caller()]
        var next: Caller?
        // Whoever is told may call again at once; that call belongs to another worker.
        callers[0].onFinish = { _ in next = rig.call() }
        callers[1].onFinish = { _ in if next == nil { next = rig.call() } }
        for caller in callers { rig.call(caller: caller) }
        rig.advance(.milliseconds(100))

        #expect(callers.map(\.code) == [.workerProtocol, .workerProtocol])
        #expect(next?.status == 200)
    }

    @Test func `is complained about once, whatever follows`() {
        let rig = rig { request in
            request.send(99)
            request.after(.microseconds(100)) { $0.worker.send(raw: [UInt8](repeating: 200, count: 500)) }
            request.after(.microseconds(200)) { $0.answer() }
        }
        let caller = rig.call()
        rig.advance(.milliseconds(30))

        #expect(caller.outcomes.count == 1)
        #expect(rig.lines.filter { $0.text.contains("it sent") }.count == 1)
        #expect(rig.pool.counters.failures == 2, "the broken worker, and its call")
    }

    @Test func `before it is ready counts as one whose handler can't be loaded`() {
        let rig = PoolRig.workers { _ in WorkerHabits(.says([UInt8](repeating: 1, count: 24))) }
        let caller = rig.call()
        rig.advance(.seconds(20))

        #expect(caller.code == .functionRaised)
        #expect(caller.problem?.functionError?.errorType == "Runtime.ProtocolError")
        #expect(rig.workers.all.count == 1, "nobody waits any more")
    }

    @Test func `speaks another protocol version and is told so`() {
        let rig = PoolRig.workers { _ in WorkerHabits(.says(WireFrame(WireType.hello, body: wire(UInt32(2))).bytes)) }
        var problem: Problem??
        rig.pool.tryOut { problem = $0 }
        rig.advance(.seconds(1))

        #expect(problem??.functionError?.errorType == "Runtime.ProtocolError")
    }

    @Test func `at each call is started ever more slowly`() {
        let rig = PoolRig.workers { _ in WorkerHabits { request in request.send(99) } }
        for _ in 0..<100 {
            rig.call()
            rig.advance(.milliseconds(20))
        }

        #expect(rig.workers.all.count <= 6)
    }

    @Test func `ends a request without an answer and gets 502 bad-response`() {
        let rig = rig { $0.end() }
        let caller = rig.call()
        rig.advance(.milliseconds(30))

        #expect(caller.code == .badResponse)
        #expect(rig.workers.all[0].orderNames == [], "a mistake of the function is none of the worker")
    }

    @Test func `says that it cancelled what nobody cancelled and ends the call all the same`() {
        let rig = rig { $0.end(outcome: 2) }
        let caller = rig.call()
        rig.advance(.milliseconds(30))

        #expect(caller.code == .cancelled)
    }
}

@Suite struct `A function that raises` {
    @Test func `answers 500 with the error's type, message and trace`() {
        let rig = PoolRig.workers { _ in WorkerHabits { $0.raise("KeyError", "'x'", trace: ["line 1", "line 2"]) } }
        let caller = rig.call()
        rig.advance(.milliseconds(30))

        #expect(caller.code == .functionRaised)
        #expect(
            caller.problem?.functionError
                == FunctionError(errorType: "KeyError", errorMessage: "'x'", stackTrace: ["line 1", "line 2"]))
    }

    @Test func `is no reason to distrust its worker`() {
        let rig = PoolRig.workers { _ in WorkerHabits { $0.raise() } }
        for _ in 0..<20 {
            rig.call()
            rig.advance(.milliseconds(20))
        }

        #expect(rig.workers.all.count == 1)
        #expect(rig.pool.counters.failures == 0)
    }

    @Test func `after it began to answer truncates its answer`() {
        let rig = PoolRig.workers { _ in
            WorkerHabits { request in
                request.head()
                request.chunk([1])
                request.raise()
            }
        }
        let caller = rig.call()
        rig.advance(.milliseconds(30))

        #expect(caller.heads.count == 1)
        #expect(caller.code == .functionRaised)
    }
}

@Suite struct `Trying a version out` {
    private func tried(_ habits: WorkerHabits) -> (problem: Problem??, rig: PoolRig) {
        let rig = PoolRig.workers { _ in habits }
        var problem: Problem??
        rig.pool.tryOut { problem = .some($0) }
        rig.advance(.seconds(15))
        return (problem, rig)
    }

    @Test func `tells nothing when the handler could be loaded`() {
        let (problem, _) = tried(WorkerHabits())
        #expect(problem == .some(nil))
    }

    @Test func `tells what is wrong, whatever is wrong`() {
        let habits: [(WorkerHabits.Beginning, ProblemCode)] = [
            (.initFailed(type: "ImportError", message: "x"), .functionRaised), (.exits, .workerNotStarted),
            (.hangs, .functionRaised), (.notStarted("no memory"), .workerNotStarted),
            (.says(Array("HTTP/1.1 200 OK\r\n\r\nhello there".utf8)), .functionRaised),
        ]
        for (beginning, code) in habits {
            let (problem, rig) = tried(WorkerHabits(beginning))
            #expect(problem??.code == code, "\(beginning)")
            #expect(rig.alive == 0, "\(beginning)")
        }
    }

    @Test func `tells also when the server ends meanwhile`() {
        let rig = PoolRig.workers { _ in WorkerHabits(.hangs) }
        var problem: Problem??
        rig.pool.tryOut { problem = .some($0) }
        rig.advance(.milliseconds(50))

        rig.pool.kill()
        rig.advance(.milliseconds(50))

        #expect(problem??.code == .workerNotStarted)
    }
}
