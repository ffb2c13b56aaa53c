// The picture in ConnectionState.swift, proved: every phase with every event.

import Testing

@testable import HTTP

private typealias Phase = ConnectionState.Phase
private typealias Body = ConnectionState.Body
private typealias Answer = ConnectionState.Answer
private typealias Actions = ConnectionState.Actions

/// Every way to be in a phase, by name, and whether it is the connection's last request.
private struct Situation: CustomStringConvertible, Sendable {
    let phase: Phase
    let isLast: Bool
    let hasPeerFinished: Bool

    var description: String {
        "\(phase)" + (isLast ? ", last" : "") + (hasPeerFinished ? ", peer finished" : "")
    }

    /// A state that was led here by events, as the connection would.
    var state: ConnectionState {
        var state = ConnectionState()
        switch phase {
        case .idle: break
        case .head: state.headBegan()
        case .serving(let body, let answer):
            state.headArrived(hasBody: body != .whole, keepAlive: true)
            lead(&state, to: body, answer)
        case .lingering: _ = state.requestRefused()
        case .closed: _ = state.peerFailed()
        }
        if isLast, !hasPeerFinished, phase != .idle { _ = state.drain() }
        if hasPeerFinished { _ = state.peerFinished() }
        return state
    }

    private func lead(_ state: inout ConnectionState, to body: Body, _ answer: Answer) {
        if answer != .awaited { state.answerBegan(closes: false) }
        switch body {
        case .held, .whole: break
        case .flowing: _ = state.bodyAccepted()
        case .paused:
            _ = state.bodyAccepted()
            state.bodyPaused()
        case .refused: state.bodyOutgrown()
        case .discarding: _ = state.answerFinished()
        }
    }

    /// The phases a connection can be in. (`discarding` means that the answer is finished, and only it does.)
    static let all: [Situation] = {
        var phases: [Phase] = [.idle, .head, .lingering, .closed, .serving(.discarding, .finished)]
        for body in [Body.held, .flowing, .paused, .refused, .whole] {
            for answer in [Answer.awaited, .begun] { phases.append(.serving(body, answer)) }
        }
        return phases.map { Situation(phase: $0, isLast: false, hasPeerFinished: false) }
            + phases.filter { $0 != .idle }.map { Situation(phase: $0, isLast: true, hasPeerFinished: false) }
            + [Phase.serving(.whole, .awaited), .serving(.whole, .begun)].map {
                Situation(phase: $0, isLast: true, hasPeerFinished: true)
            }
    }()
}

@Suite struct `Connection state` {
    @Test(arguments: Situation.all)
    private func `is led into every situation by events`(situation: Situation) {
        #expect(situation.state.phase == situation.phase)
    }

    @Test(arguments: Situation.all)
    private func `parses only when it may`(situation: Situation) {
        let expected: ConnectionState.Input =
            switch situation.phase {
            case .idle, .head, .serving(.flowing, _), .serving(.discarding, _): .parsed
            case .serving: .kept
            case .lingering, .closed: .dropped
            }
        #expect(situation.state.input == expected)
    }

    @Test(arguments: Situation.all)
    private func `accepting the body sets a held one flowing and nothing else`(situation: Situation) {
        var state = situation.state
        let actions = state.bodyAccepted()
        if case .serving(.held, let answer) = situation.phase {
            #expect(state.phase == .serving(.flowing, answer))
            #expect(actions == .goOn)
        } else {
            #expect(state.phase == situation.phase)
            #expect(actions == [])
        }
    }

    @Test(arguments: Situation.all)
    private func `pausing stops a flowing body and nothing else`(situation: Situation) {
        var state = situation.state
        state.bodyPaused()
        if case .serving(.flowing, let answer) = situation.phase {
            #expect(state.phase == .serving(.paused, answer))
        } else {
            #expect(state.phase == situation.phase)
        }
    }

    @Test(arguments: Situation.all)
    private func `resuming sets a paused body flowing and nothing else`(situation: Situation) {
        var state = situation.state
        let actions = state.bodyResumed()
        if case .serving(.paused, let answer) = situation.phase {
            #expect(state.phase == .serving(.flowing, answer))
            #expect(actions == .goOn)
        } else {
            #expect(state.phase == situation.phase)
            #expect(actions == [])
        }
    }

    @Test(arguments: Situation.all)
    private func `finishing an answer`(situation: Situation) {
        guard case .serving(let body, .begun) = situation.phase else { return }
        var state = situation.state
        let actions = state.answerFinished()
        switch (body, state.isLast) {
        case (.whole, false):
            #expect(state.phase == .idle)
            #expect(actions == .goOn)
        case (.held, false), (.flowing, false), (.paused, false):
            #expect(state.phase == .serving(.discarding, .finished))
            #expect(actions == .goOn)
        default:
            #expect(state.phase == .lingering)
            #expect(actions == (situation.hasPeerFinished ? [.finishSending, .closeWhenSent] : .finishSending))
        }
    }

    @Test(arguments: Situation.all)
    private func `a body that ends`(situation: Situation) {
        var state = situation.state
        switch situation.phase {
        case .serving(.flowing, let answer):
            let actions = state.bodyEnded()
            #expect(actions == [])
            #expect(state.phase == .serving(.whole, answer))
        case .serving(.discarding, _):
            let actions = state.bodyEnded()
            #expect(actions == (situation.isLast ? .finishSending : .goOn))
            #expect(state.phase == (situation.isLast ? .lingering : .idle))
        default: break
        }
    }

    @Test(arguments: Situation.all)
    private func `a refusal is answered once, and only when no answer has begun`(situation: Situation) {
        var state = situation.state
        let closing: Actions = situation.hasPeerFinished ? [.finishSending, .closeWhenSent] : .finishSending
        switch situation.phase {
        case .idle, .head:
            let actions = state.requestRefused()
            #expect(actions == closing.union(.sendRefusal))
            #expect(state.phase == .lingering)
        case .serving(_, .awaited):
            let actions = state.requestRefused()
            #expect(actions == closing.union([.abortExchange, .sendRefusal]))
            #expect(state.phase == .lingering)
        case .serving(_, .begun):
            let actions = state.requestRefused()
            #expect(actions == [.abortExchange, .close])
            #expect(state.phase == .closed)
        case .serving(_, .finished):
            let actions = state.requestRefused()
            #expect(actions == closing)
            #expect(state.phase == .lingering)
        case .lingering, .closed: break
        }
    }

    @Test(arguments: Situation.all)
    private func `the peer finishes`(situation: Situation) {
        guard !situation.hasPeerFinished else { return }
        var state = situation.state
        let (actions, endedEarly) = state.peerFinished()
        let ending: Actions = [.finishSending, .closeWhenSent]
        switch situation.phase {
        case .idle:
            #expect(actions == ending && !endedEarly && state.phase == .lingering)
        case .lingering:
            #expect(actions == .closeWhenSent && !endedEarly && state.phase == .lingering)
        case .head:
            #expect(actions == ending.union(.sendRefusal) && endedEarly && state.phase == .lingering)
        case .serving(.whole, _), .serving(.refused, _):
            #expect(actions == [] && !endedEarly && state.phase == situation.phase && state.isLast)
        case .serving(_, .awaited):
            #expect(actions == ending.union([.abortExchange, .sendRefusal]) && endedEarly && state.phase == .lingering)
        case .serving(_, .begun):
            #expect(actions == [.abortExchange, .close] && endedEarly && state.phase == .closed)
        case .serving(_, .finished):
            #expect(actions == ending && endedEarly && state.phase == .lingering)
        case .closed:
            #expect(actions == [] && !endedEarly && state.phase == .closed)
        }
    }

    @Test(arguments: Situation.all)
    private func `a failure closes, and aborts an exchange that is not finished`(situation: Situation) {
        var state = situation.state
        let actions = state.peerFailed()
        #expect(state.phase == .closed)
        switch situation.phase {
        case .closed: #expect(actions == [])
        case .serving(_, .awaited), .serving(_, .begun): #expect(actions == [.abortExchange, .close])
        default: #expect(actions == .close)
        }
    }

    @Test(arguments: Situation.all)
    private func `time is only up where the client is waited for`(situation: Situation) {
        var (state, refused) = (situation.state, situation.state)
        let actions = state.timeIsUp()
        switch situation.phase {
        case .idle, .lingering:
            #expect(actions == .close)
            #expect(state.phase == .closed)
        case .head, .serving(.flowing, _), .serving(.discarding, _):
            let refusal = refused.requestRefused()
            #expect(actions == refusal)
            #expect(state == refused)
        case .serving, .closed:
            #expect(actions == [])
            #expect(state.phase == situation.phase)
        }
    }

    @Test(arguments: Situation.all)
    private func `a drain ends idle connections and makes every other request the last`(situation: Situation) {
        var state = situation.state
        let actions = state.drain()
        #expect(state.isLast)
        #expect(actions == (situation.phase == .idle ? [.finishSending, .closeWhenSent] : []))
        #expect(state.phase == (situation.phase == .idle ? .lingering : situation.phase))
    }

    @Test(arguments: Situation.all)
    private func `giving up an answer closes`(situation: Situation) {
        var state = situation.state
        let actions = state.answerAborted()
        #expect(actions == .close)
        #expect(state.phase == .closed)
    }

    @Test func `an outgrown body is the last one, whoever answers`() {
        for answer in [Answer.awaited, .begun] {
            var state = Situation(phase: .serving(.flowing, answer), isLast: false, hasPeerFinished: false).state
            state.bodyOutgrown()
            #expect(state.phase == .serving(.refused, answer))
            #expect(state.isLast)
        }
    }

    @Test func `too much to discard ends the connection`() {
        var state = Situation(phase: .serving(.discarding, .finished), isLast: false, hasPeerFinished: false).state
        let actions = state.discardedTooMuch()
        #expect(actions == .finishSending)
        #expect(state.phase == .lingering)
    }

    @Test func `a client that wants to close is served once`() {
        var state = ConnectionState()
        state.headArrived(hasBody: false, keepAlive: false)
        #expect(state.isLast)
    }

    @Test func `an answer out of turn stops the program`() async {
        await #expect(processExitsWith: .failure) {
            var state = ConnectionState()
            state.answerBegan(closes: false)
        }
        await #expect(processExitsWith: .failure) {
            var state = ConnectionState()
            state.headArrived(hasBody: false, keepAlive: true)
            _ = state.answerFinished()
        }
        await #expect(processExitsWith: .failure) {
            var state = ConnectionState()
            state.headArrived(hasBody: false, keepAlive: true)
            state.headArrived(hasBody: false, keepAlive: true)
        }
        await #expect(processExitsWith: .failure) {
            var state = ConnectionState()
            _ = state.bodyEnded()
        }
        await #expect(processExitsWith: .failure) {
            var state = ConnectionState()
            state.bodyOutgrown()
        }
        await #expect(processExitsWith: .failure) {
            var state = ConnectionState()
            _ = state.discardedTooMuch()
        }
        await #expect(processExitsWith: .failure) {
            var state = ConnectionState()
            _ = state.peerFailed()
            _ = state.requestRefused()
        }
    }
}
