// What a function must have shown before an execution may wait in a worker's socket, and what tells computing from
// waiting.

import Autoscaler
import Model
import Testing

@Suite struct `Read-ahead` {
    private func proved(_ run: Duration, times: Int = ReadAhead.proof) -> ReadAhead {
        var readAhead = ReadAhead()
        for _ in 0..<times { readAhead.add(run: run) }
        return readAhead
    }

    private func depth(_ run: Duration, times: Int = ReadAhead.proof) -> Int {
        proved(run, times: times).depth(mean: run)
    }

    @Test func `is for functions that have proved to be quick`() {
        #expect(ReadAhead().depth(mean: nil) == 0)
        #expect(depth(.microseconds(100), times: ReadAhead.proof - 1) == 0)
        #expect(depth(.microseconds(100)) == ReadAhead.depthMax)
        #expect(depth(.microseconds(400)) == 2)
        #expect(depth(.microseconds(999)) == 1)
        #expect(depth(.milliseconds(1)) == 0)
        #expect(depth(.zero) == ReadAhead.depthMax)
    }

    @Test func `ends with one slow execution, until the function has proved itself anew`() {
        var readAhead = proved(.microseconds(10))
        readAhead.add(run: ReadAhead.runMax)
        #expect(readAhead.depth(mean: .microseconds(10)) == 0)
        for _ in 1..<ReadAhead.proof { readAhead.add(run: .microseconds(10)) }
        #expect(readAhead.depth(mean: .microseconds(10)) == 0)
        readAhead.add(run: .microseconds(10))
        #expect(readAhead.depth(mean: .microseconds(10)) > 0)
    }
}

@Suite struct `The share of computing` {
    @Test func `rises quickly and falls slowly`() throws {
        var share = ComputingShare()
        #expect(share.value == nil)
        #expect(share.workersUseful(cores: 2) == .max, "nothing is known")
        share.add(cpu: nil, run: .milliseconds(1))
        #expect(share.value == nil)
        for _ in 0..<20 { share.add(cpu: .milliseconds(5), run: .milliseconds(5)) }
        #expect(share.workersUseful(cores: 2) == 3 || share.workersUseful(cores: 2) == 2)
        // Three fight for two cores now, and each run takes half as long again.
        for _ in 0..<10 { share.add(cpu: .milliseconds(5), run: .milliseconds(8)) }
        #expect(share.workersUseful(cores: 2) <= 3)
        for _ in 0..<5000 { share.add(cpu: .milliseconds(1), run: .milliseconds(100)) }
        #expect(share.workersUseful(cores: 2) > 100, "it waits for others nearly all the time")
    }
}

@Suite struct `Workers of a function that computes` {
    private func load(ready: Int, useful: Int, longestWait: Duration = .milliseconds(300)) -> PoolLoad {
        var load = PoolLoad()
        load.queued = 100
        load.inFlight = ready
        load.ready = ready
        load.workersMax = 16
        load.workersUseful = useful
        load.serviceTime = .milliseconds(5)
        load.startTime = .milliseconds(5)
        load.longestWait = longestWait
        return load
    }

    @Test func `are no more than the cores can keep busy`() {
        #expect(Policy.workersToStart(load(ready: 2, useful: 2)) == StartDecision(count: 0, reason: .coresAreBusy))
        #expect(Policy.workersToStart(load(ready: 1, useful: 2)) == StartDecision(count: 1, reason: .waitExceedsStart))
        #expect(Policy.workersToStart(load(ready: 2, useful: .max)).count == 14)
    }

    @Test func `are more, one by one, when somebody waits as if they hung`() {
        let hung = load(ready: 2, useful: 2, longestWait: .seconds(2))
        #expect(Policy.workersToStart(hung) == StartDecision(count: 1, reason: .waitExceedsStart))
    }
}
