// The live picture of taibai top: a second screen of the terminal, keys, signals. The terminal is given back as it was
// however this ends, by key, signal or error.

import Client
import Glibc
import Model

/// Draws the pools each second until q, Ctrl-C or a signal.
struct TopScreen {
    let client: ControlClient

    private static let interval = Duration.seconds(1)
    private static let controlC: UInt8 = 3
    private static let enter = "\u{1B}[?1049h\u{1B}[?25l"
    private static let leave = "\u{1B}[?25h\u{1B}[?1049l"

    func run() throws {
        guard isatty(STDIN_FILENO) == 1 else {
            throw Failure("no-keyboard: standard input is no terminal", hint: "use: taibai top --once")
        }
        let gate = SignalGate()
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { throw Failure("no-keyboard: \(SystemError.last)") }
        var raw = before
        // Ctrl-C comes as a key too, so that there is one way out.
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        defer {
            tcsetattr(STDIN_FILENO, TCSANOW, &before)
            // The terminal may be gone, and then nothing is left to be put right.
            _ = try? Output.standard.write(Self.leave)
        }
        try Output.standard.write(Self.enter)
        var next = MonotonicTime.now
        while true {
            if MonotonicTime.now >= next {
                try draw()
                next = MonotonicTime.now + Self.interval
            }
            switch wait(until: next, gate) {
            case .leave: return
            case .redraw: next = MonotonicTime.now
            case .nothing: break
            }
        }
    }

    private enum Wish {
        case leave, redraw, nothing
    }

    private func wait(until time: Instant, _ gate: borrowing SignalGate) -> Wish {
        let rest = max(0, (time - MonotonicTime.now).nanoseconds / 1_000_000 + 1)
        guard let hasKey = gate.waitForKey(milliseconds: Int(rest)) else { return .leave }
        guard hasKey else { return .nothing }
        var key: UInt8 = 0
        // A closed keyboard is a wish to leave too.
        guard read(STDIN_FILENO, &key, 1) == 1 else { return .leave }
        return [UInt8(ascii: "q"), UInt8(ascii: "Q"), Self.controlC].contains(key) ? .leave : .redraw
    }

    /// One frame in one write, so that it does not flicker. A server that is away is told in the picture: it may
    /// come back.
    private func draw() throws(ClientError) {
        let output = Output.standard
        var patient = client
        patient.timeout = .seconds(2)
        var page: String
        do throws(ClientError) {
            page = TopText.page(try patient.pools(), for: output)
        } catch {
            if case .refused = error { throw error }
            page =
                output.paint(.bold, "taibai top") + "\n\n" + output.paint(.red, Printable.line("\(error)"))
                + "\n\nasking again each second; q leaves\n"
        }
        let lines = page.split(separator: "\n", omittingEmptySubsequences: false).prefix((output.height ?? 24) - 1)
        try output.write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K\r\n" }.joined() + "\u{1B}[J")
    }
}

/// Lets SIGINT, SIGTERM and SIGHUP through only while ``waitForKey(milliseconds:)`` waits, so that none is missed
/// between a look and the next wait, and none ends the program before the terminal is put right.
struct SignalGate: ~Copyable {
    /// What is blocked while waiting: none of the three.
    private let open: sigset_t

    init() {
        var set = sigset_t()
        var before = sigset_t()
        sigemptyset(&set)
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            sigaddset(&set, signal)
            // Does nothing but interrupt the wait: without a handler the signal would end the program.
            Glibc.signal(signal) { _ in }
        }
        sigprocmask(SIG_BLOCK, &set, &before)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigdelset(&before, signal) }
        open = before
    }

    /// Waits for the keyboard.
    /// - Returns: whether a key can be read; nil after a signal.
    func waitForKey(milliseconds: Int) -> Bool? {
        var timeout = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
        var mask = open
        var descriptors = fd_set()
        // FD_SET is a macro that Swift can't see; standard input is descriptor 0, the lowest bit.
        descriptors.__fds_bits.0 = 1 << STDIN_FILENO
        let ready = pselect(STDIN_FILENO + 1, &descriptors, nil, nil, &timeout, &mask)
        return ready < 0 ? nil : ready > 0
    }
}
