// Follows one child process: reads its two pipes and waits for its end, on a thread of its own.

import Foundation

/// The two pipes and the id of a child.
struct Watcher {
    let process: pid_t
    let output: Int32
    let errors: Int32

    /// Returns when the process has ended and what it wrote is read. Descendants may keep the pipes open for ever, so
    /// their end is not waited for.
    func run(onOutput: ([UInt8]) -> Void, onErrors: ([UInt8]) -> Void, onEnd: (Ending) -> Void) {
        for descriptor in [output, errors] {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
        let end = try? GNU.pidfd(of: process)
        var entries = [output, errors, end ?? -1].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while entries[2].revents == 0 {
            // Without a pidfd the pipes' end is the best sign there is.
            if end == nil && entries[0].fd < 0 && entries[1].fd < 0 { break }
            guard poll(&entries, 3, -1) >= 0 || errno == EINTR else { break }
            if entries[0].revents != 0, drain(output, onOutput) { entries[0].fd = -1 }
            if entries[1].revents != 0, drain(errors, onErrors) { entries[1].fd = -1 }
        }
        _ = drain(output, onOutput)
        _ = drain(errors, onErrors)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        for descriptor in [output, errors] + (end.map { [$0] } ?? []) { close(descriptor) }
        let signal = status & 0x7F
        onEnd(signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: signal))
    }

    /// Reads what is there.
    /// - Returns: whether the pipe has ended.
    private func drain(_ descriptor: Int32, _ take: ([UInt8]) -> Void) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &bytes, bytes.count)
            if count > 0 { take(Array(bytes.prefix(count))) } else { return count == 0 }
        }
    }
}
